function [copy, start, functions] = record_edit(file, start, octave)
% The text of the copy of the script `file` that is to run.
%
% start: what record_execute says; gets script ('gan_adam' or 'gan_mbgd'), and batch_size and
% learning_rate where it lacks them. functions: the names of the script's functions.
% Stops with an error if the script is another, or a line to change is not there exactly once.
[text, code] = record_text(file);
[words, first, last] = statements(code);
heads = find(~cellfun('isempty', regexp(words, '^function\s', 'once')));
if isempty(heads)
    error('record_run:script', 'no functions, as gan_adam.m and gan_mbgd.m have, are in %s', file);
end
functions = regexp(words(heads), '(\w+)\s*(\(|$)', 'tokens', 'once');
functions = cellfun(@(x) x{1}, functions, 'UniformOutput', false);
name = which_script(words, heads, functions, file);
if isfield(start, 'script') && ~strcmp(start.script, name)
    error('record_run:script', 'the checkpoint is one of %s, but the script is %s: %s', ...
        start.script, name, file);
end
start.script = name;

% what is left out: to each edit belongs a row {first, last, new text}
edits = cell(0, 3);
[unwanted, random] = unwanted_statements(words, first, last, text);
for i = find(unwanted)
    stop = last(i);
    if any(text(stop + 1) == ';,')
        stop = stop + 1;
    end
    edits(end+1, :) = {first(i), stop, ''};
    if random(i)
        fprintf('left out of the copy of the script: %s\n', text(first(i):last(i)));
    end
    words{i} = '';
end
words = words(1:heads(1)-1);  % from here on those of the script part

% the two networks
nets = {'generator', [100, 512, 784]; 'discriminator', [784, 512, 1]};
for i = 1:2
    k = the_one(words, ['^', nets{i, 1}, '\s*=\s*nnsetup\s*\('], [nets{i, 1}, ' = nnsetup(...)']);
    sizes = regexp(words{k}, 'nnsetup\s*\(\s*\[([\d\s,]*)\]\s*\)$', 'tokens', 'once');
    if isempty(sizes) || ~isequal(sscanf(strrep(sizes{1}, ',', ' '), '%f')', nets{i, 2})
        error('record_run:script', 'the script has another architecture than [%d, %d, %d]: %s', ...
            nets{i, 2}, words{k});
    end
    if isfield(start, 'generator')
        edits(end+1, :) = {first(k), last(k), ...
            sprintf('%s = RECORD_RUN(''%s'')', nets{i, 1}, nets{i, 1})};
    end
end

% the settings, and in record_from the loop
settings = {'epoch', 'images_num', 'batch_size', 'learning_rate'};
for i = 1:4
    k = the_one(words, ['^', settings{i}, '\s*=(?!=)'], [settings{i}, ' = ...']);
    if isfield(start, settings{i})
        edits(end+1, :) = {first(k), last(k), ...
            sprintf('%s = %.17g', settings{i}, start.(settings{i}))};
    else
        start.(settings{i}) = number(words{k});
    end
end
k = the_one(words, '^for\s*\(?\s*e\s*=\s*1\s*:\s*epoch\s*\)?$', 'for e=1:epoch');
if start.first > 0
    edits(end+1, :) = {first(k), last(k), sprintf('for e=%d:%d', start.first + 1, start.epoch)};
end

% what is kept
update = 'discriminator = nnapplygrade(discriminator, learning_rate)';
k = the_one(words, ...
    '^discriminator\s*=\s*nnapplygrade\s*\(\s*discriminator\s*,\s*learning_rate\s*\)$', update);
edits(end+1, :) = {first(k), last(k), [update, '; RECORD_RUN(''step'', ', ...
    'sigmoid_cross_entropy(logits(1:batch_size), ones(batch_size, 1)), ', ...
    'sigmoid_cross_entropy(logits, labels), images_fake, generator, discriminator)']};
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
    copy = ['1;', char(10), functions_text, char(10), copy];
else
    copy = [copy, functions_text];
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
% 'gan_adam' or 'gan_mbgd', told from what the functions nnsetup and nnapplygrade do.
stops = [heads(2:end) - 1, numel(words)];
moments = false(1, 2);
names = {'nnsetup', 'nnapplygrade'};
for i = 1:2
    k = find(strcmp(functions, names{i}));
    if numel(k) ~= 1
        error('record_run:script', ...
            'neither gan_adam.m nor gan_mbgd.m: not one, but %d functions %s are in %s', ...
            numel(k), names{i}, file);
    end
    body = words(heads(k):stops(k));
    moments(i) = any(~cellfun('isempty', regexp(body, '\.w_m\s*=(?!=)', 'once')));
end
takes = regexp(body{1}, '\((.*)\)$', 'tokens', 'once');
takes = strtrim(strsplit(sprintf('%s', takes{:}), ','));
if numel(takes) == 3 && any(strcmp(takes{3}, {'lamda', 'lambda'}))
    error('record_run:script', ...
        'this is the old gan_sgd.m with weight decay (%s), which has no port: %s', takes{3}, file);
end
if moments(1) ~= moments(2) || numel(takes) ~= 2
    error('record_run:script', ...
        'neither gan_adam.m nor gan_mbgd.m, going by its nnsetup and nnapplygrade: %s', file);
end
name = 'gan_mbgd';
if moments(1)
    name = 'gan_adam';
end
end


function [unwanted, random] = unwanted_statements(words, first, last, text)
% Which statements are left out (logical); random: those of them that seed random numbers.
%
% Stops with an error if random numbers are seeded, or their stream taken, within another statement.
clears = found(words, '^(clear|clearvars|clc|close)(\s+[^=\s(]|\s*\(|$)');
seeds = {'^rng(\s*\(|\s+\w|$)', '^randn?\s*\(\s*[''"]', '^randn?\s+(seed|state|twister)', ...
    '^RandStream\.set(Global|Default)Stream\s*\(', '^reset\s*\(\s*RandStream'};
random = false(size(words));
for i = 1:numel(seeds)
    random = random | found(words, seeds{i});
end
unwanted = clears | random;
k = find(~unwanted & found(words, '\<(rng|RandStream)\>|\<randn?\s*\(\s*[''"]'), 1);
if ~isempty(k)
    error('record_run:script', 'the script changes the random numbers; take this out: %s', ...
        text(first(k):last(k)));
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
    error('record_run:script', 'the script must have one line "%s", but has %d', what, numel(k));
end
end


function x = number(word)
% The value of the statement `word`, such as epoch = 10*10, of numbers and operators only.
value = regexp(word, '=\s*([\d\s.eE+*/^()-]+)$', 'tokens', 'once');
x = [];
if ~isempty(value)
    x = str2num(value{1});
end
if ~isscalar(x) || ~(x > 0)
    error('record_run:script', 'the script must set a number above 0 in the line: %s', word);
end
end
