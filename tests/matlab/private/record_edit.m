function [copy, start, functions] = record_edit(file, start, octave)
% The text of the copy of the script `file` that is to run.
%
% start: what record_execute says. It gets script ('gan_adam' or 'gan_mbgd'), sizes (a
% struct with generator and discriminator, as in the two nnsetup lines), and batch_size
% and learning_rate where it lacks them. functions: the names of the script's functions.
% Stops with an error if the script is another, a line to change is not there exactly
% once, or the sizes contradict each other.
[text, code] = record_text(file);
[words, first, last] = statements(code);
heads = find(found(words, '^function\s'));
if isempty(heads)
    error('record_run:script', ...
        'the script has no functions, as gan_adam.m and gan_mbgd.m have: %s', file);
end
functions = regexp(words(heads), '(\w+)\s*(\(|$)', 'tokens', 'once');
functions = cellfun(@(x) x{1}, functions, 'UniformOutput', false);
name = which_script(words, heads, functions, file);
if isfield(start, 'script') && ~strcmp(start.script, name)
    error('record_run:script', ...
        'the checkpoint is one of %s, but the script is %s: %s', ...
        start.script, name, file);
end
start.script = name;

% what is left out: to each edit belongs a row {first, last, new text}
edits = cell(0, 3);
shown = record_ascii(text);
[unwanted, random] = unwanted_statements(words, first, last, shown);
for i = find(unwanted)
    stop = last(i);
    if any(text(stop + 1) == ';,')
        stop = stop + 1;
    end
    edits(end+1, :) = {first(i), stop, ''};
    if random(i)
        fprintf('left out of the copy of the script: %s\n', shown(first(i):last(i)));
    end
    words{i} = '';
end
words = words(1:heads(1)-1);  % from here on those of the script part

% the two networks
nets = {'generator', 'discriminator'};
for i = 1:2
    k = the_one(words, ['^', nets{i}, '\s*=\s*nnsetup\s*\('], ...
        [nets{i}, ' = nnsetup(...)']);
    start.sizes.(nets{i}) = sizes_of(words{k}, words);
    if isfield(start, 'generator')
        edits(end+1, :) = {first(k), last(k), ...
            sprintf('%s = RECORD_RUN(''%s'')', nets{i}, nets{i})};
    end
end
check_sizes(start, words);

% the settings, and in record_from the loop
settings = {'epoch', 'images_num', 'batch_size', 'learning_rate'};
for i = 1:4
    k = the_one(words, ['^', settings{i}, '\s*=(?!=)'], [settings{i}, ' = ...']);
    if isfield(start, settings{i})
        edits(end+1, :) = {first(k), last(k), ...
            sprintf('%s = %.17g', settings{i}, start.(settings{i}))};
    else
        start.(settings{i}) = setting(words{k});
    end
end
k = the_one(words, '^for\s*\(?\s*e\s*=\s*1\s*:\s*epoch\s*\)?$', 'for e=1:epoch');
if start.first > 0
    loop = sprintf('for e=%d:%d', start.first + 1, start.epoch);
    edits(end+1, :) = {first(k), last(k), loop};
end

% what is kept
update = 'discriminator = nnapplygrade(discriminator, learning_rate)';
k = the_one(words, ['^discriminator\s*=\s*nnapplygrade\s*', ...
    '\(\s*discriminator\s*,\s*learning_rate\s*\)$'], update);
edits(end+1, :) = {first(k), last(k), [update, '; RECORD_RUN(''step'', ', ...
    'sigmoid_cross_entropy(logits(1:batch_size), ones(batch_size, 1)), ', ...
    'sigmoid_cross_entropy(logits, labels), ', ...
    'images_fake, generator, discriminator)']};
begin = first(heads(1));  % of the functions
[from, to] = regexp(code(1:begin-1), '\<fprintf\s*\(', 'start', 'end');
for i = 1:numel(from)
    edits(end+1, :) = {from(i), to(i), 'RECORD_RUN(''print'', '};
end

% from the end on, so that places stay right
[~, order] = sort(-cell2mat(edits(:, 1)));
copy = text(1:begin-1);
functions_text = text(begin:end);
for i = order'
    [a, b, new] = edits{i, :};
    if a < begin
        copy = [copy(1:a-1), new, copy(b+1:end)];
    else
        a = a - begin + 1;
        b = b - begin + 1;
        functions_text = [functions_text(1:a-1), new, functions_text(b+1:end)];
    end
end
if octave  % functions must come before their use, and not first
    copy = utf8(['1;', char(10), functions_text, char(10), copy]);
else
    copy = [copy, functions_text];
end
end


function text = utf8(text)
% The text (bytes) in UTF-8, as GNU Octave needs it: what is not UTF-8 is taken as GBK.
%
% Only strings that the script prints have such bytes, as comments are blank by now.
try
    native2unicode(uint8(text), 'utf-8');
catch  % not UTF-8
    try
        text = native2unicode(uint8(text), 'gbk');
    catch
        text = record_ascii(text);
    end
end
end


function [words, first, last] = statements(code)
% The statements of `code`, and where each begins and ends in it.
depth = cumsum(ismember(code, '([{')) - cumsum(ismember(code, ')]}'));
code(code == char(10) & depth > 0) = ' ';
code((code == ';' | code == ',') & depth == 0) = char(10);
[first, last, words] = regexp(code, '[^\s]([^\n]*[^\s])?', 'start', 'end', 'match');
end


function name = which_script(words, heads, functions, file)
% 'gan_adam' or 'gan_mbgd', told from what nnsetup and nnapplygrade do.
stops = [heads(2:end) - 1, numel(words)];
moments = false(1, 2);
names = {'nnsetup', 'nnapplygrade'};
for i = 1:2
    k = find(strcmp(functions, names{i}));
    if numel(k) ~= 1
        error('record_run:script', ...
            'neither gan_adam.m nor gan_mbgd.m: it has %d functions %s, not 1: %s', ...
            numel(k), names{i}, file);
    end
    body = words(heads(k):stops(k));
    moments(i) = any(found(body, '\.w_m\s*=(?!=)'));
end
takes = regexp(body{1}, '\((.*)\)$', 'tokens', 'once');
takes = strtrim(strsplit(sprintf('%s', takes{:}), ','));
if numel(takes) == 3 && any(strcmp(takes{3}, {'lamda', 'lambda'}))
    error('record_run:script', ...
        'this is the old gan_sgd.m with weight decay (%s), which has no port: %s', ...
        takes{3}, file);
end
if moments(1) ~= moments(2) || numel(takes) ~= 2
    error('record_run:script', ['neither gan_adam.m nor gan_mbgd.m, ', ...
        'going by its nnsetup and nnapplygrade: %s'], file);
end
name = 'gan_mbgd';
if moments(1)
    name = 'gan_adam';
end
end


function [unwanted, random] = unwanted_statements(words, first, last, shown)
% Which statements are left out (logical); random: those that seed random numbers.
%
% Stops with an error if another statement seeds random numbers, or takes their stream.
clears = found(words, '^(clear|clearvars|clc|close)(\s+[^=\s(]|\s*\(|$)');
seeds = {'^rng(\s*\(|\s+\w|$)', '^randn?\s*\(\s*[''"]', ...
    '^randn?\s+(seed|state|twister)', ...
    '^RandStream\.set(Global|Default)Stream\s*\(', '^reset\s*\(\s*RandStream'};
random = false(size(words));
for i = 1:numel(seeds)
    random = random | found(words, seeds{i});
end
unwanted = clears | random;
others = '\<(rng|RandStream)\>|\<randn?\s*\(\s*[''"]';
k = find(~unwanted & found(words, others), 1);
if ~isempty(k)
    error('record_run:script', ...
        'the script changes the random numbers; take this out: %s', ...
        shown(first(k):last(k)));
end
end


function yes = found(words, pattern)
% In which of the `words` the pattern is (logical).
yes = ~cellfun('isempty', regexp(words, pattern, 'once'));
end


function k = the_one(words, pattern, what)
% The number of the one statement that is `pattern`; `what` names it in the error.
k = find(found(words, pattern));
if numel(k) ~= 1
    error('record_run:script', 'the script must have one line "%s", but has %d', ...
        what, numel(k));
end
end


% ------------------------------------------------------------------------- the numbers

function x = setting(word)
% The value of the statement `word`, such as epoch = 10*10, of numbers and operators.
value = regexp(word, '=\s*(.*)$', 'tokens', 'once');
x = value_of(value{1}, {});
if ~isscalar(x) || ~(x > 0)
    error('record_run:script', ...
        'the script must set a number above 0 in the line: %s', word);
end
end


function sizes = sizes_of(word, words)
% The sizes (1 x k) in the statement `word`, such as nn = nnsetup([100, 512, 784]).
inside = regexp(word, 'nnsetup\s*\((.*)\)$', 'tokens', 'once');
sizes = [];
if ~isempty(inside)
    sizes = value_of(inside{1}, words);
end
if numel(sizes) < 2 || any(sizes < 1) || any(sizes ~= floor(sizes))
    error('record_run:sizes', ...
        'two or more sizes, whole numbers, must be in the line: %s', word);
end
end


function x = value_of(expression, words)
% What `expression` gives (1 x k): numbers, operators and names that `words` set once.
%
% [] if it has anything else, or a name whose value record_run may change.
x = [];
changed = {'epoch', 'images_num', 'batch_size', 'learning_rate'};
names = unique(regexp(expression, '\<[A-Za-z]\w*', 'match'));
for i = 1:numel(names)
    k = find(found(words, ['^', names{i}, '\s*=(?!=)']));
    if numel(k) ~= 1 || any(strcmp(names{i}, changed))
        return
    end
    value = regexp(words{k}, '=\s*(.*)$', 'tokens', 'once');
    value = value_of(value{1}, {});
    if isempty(value)
        return
    end
    expression = regexprep(expression, ['\<', names{i}, '\>'], ...
        ['[', sprintf('%.17g ', value), ']']);
end
if ~isempty(regexp(expression, '^[\d\s.,eE+*/^()[\]-]+$', 'once'))
    x = str2num(expression); %#ok<ST2NM>
end
end


function check_sizes(start, words)
% Stop with an error if the sizes contradict each other, the script or the checkpoint.
generator = start.sizes.generator;
discriminator = start.sizes.discriminator;
if generator(end) ~= discriminator(1)
    error('record_run:sizes', ['the generator''s last size %d must be ', ...
        'the discriminator''s first, which is %d'], generator(end), discriminator(1));
end
if discriminator(end) ~= 1
    error('record_run:sizes', 'the discriminator''s last size must be 1, but is %d', ...
        discriminator(end));
end
square = ['^train_x\s*=.*\<reshape\s*\(\s*train_x\s*,', ...
    '.*\<28\s*,\s*28\s*\)'];
if any(found(words, square)) && generator(end) ~= 784
    error('record_run:sizes', ['the generator''s last size must be 784, as the ', ...
        'script makes images of 28 x 28 of train_x, but is %d'], generator(end));
end
noise = words(found(words, '^noise\s*=(?!=)'));
if numel(noise) == 1
    width = regexp(noise{1}, ',\s*([^,()\s[\]]+)\s*\]?\s*\)[^,()]*$', 'tokens', 'once');
    if ~isempty(width)
        width = value_of(width{1}, words);
    end
    if isscalar(width) && width ~= generator(1)
        error('record_run:sizes', ['the generator''s first size is %d, but noise ', ...
            'has %g columns: %s'], generator(1), width, noise{1});
    end
end
nets = {'generator', 'discriminator'};
for i = 1:2
    if isfield(start, nets{i}) ...
            && ~isequal(start.(nets{i}).architecture, start.sizes.(nets{i}))
        error('record_run:sizes', ['the %s has the sizes %s in the checkpoint, ', ...
            'but %s in the script'], nets{i}, ...
            mat2str(start.(nets{i}).architecture), mat2str(start.sizes.(nets{i})));
    end
end
end
