function [copy, functions] = record_edit(file, start, octave)
% The text of the copy of the script `file` that is to run.
%
% start: as record_execute has it. functions: the names of the script's functions.
% Stops with an error unless each line to change is there exactly once before the
% functions, and if the script seeds random numbers.
[text, code] = read_script(file);
check_seeds(text, code);
text = without_clear(text, code);
[first, functions] = regexp(code, ...
    '\n[ \t]*function\>(?:[^\n=(]*=)?[ \t]*(\w+)', 'start', 'tokens');
if isempty(first)
    error('record_run:script', 'the script must have its functions at its end: %s', ...
        file);
end
functions = [functions{:}];
functions_text = text(first(1):end);
text = text(1:first(1)-1);
code = code(1:first(1)-1);

value = ' =(?!=)(?:[^\n;,()]|\([^\n;()]*\))*(?=[\n;,])';
loop = sprintf(['[generator, discriminator] = RECORD_RUN(''loop'', generator, ', ...
    'discriminator); for e=%d:epoch'], start.first + 1);
update = 'discriminator = nnapplygrade(discriminator, learning_rate)';
keep = [update, '; RECORD_RUN(''step'', e, ', ...
    'sigmoid_cross_entropy(logits(1:batch_size), ones(batch_size, 1)), ', ...
    'sigmoid_cross_entropy(logits, labels), struct(''batch_size'', batch_size, ', ...
    '''learning_rate'', learning_rate, ''images_fake'', images_fake, ', ...
    '''generator'', generator, ''discriminator'', discriminator))'];
changes = {  % the statement in words, its pattern, and what takes its place
    'epoch = ...', ['epoch', value], sprintf('epoch = %d', start.epoch)
    'images_num = ...', ['images_num', value], ...
        sprintf('images_num = %d', start.images_num)
    'for e=1:epoch', 'for \(? e = 1 : epoch \)? (?=[\n;,])', loop
    update, 'discriminator = nnapplygrade \( discriminator , learning_rate \)', keep
};
for i = 1:size(changes, 1)
    [what, pattern, new] = changes{i, :};
    pattern = ['[\n;,] (', pattern, ')'];  % a blank stands for any number of them
    places = regexp(code, strrep(pattern, ' ', '[ \t]*'), 'tokenExtents');
    if numel(places) ~= 1
        error('record_run:script', ['the script must have "%s" once before its ', ...
            'functions, but has it %d times: %s'], what, numel(places), file);
    end
    [a, b] = deal(places{1}(1), places{1}(2));
    text = [text(1:a-1), new, text(b+1:end)];
    code = [code(1:a-1), new, code(b+1:end)];
end

copy = [text, functions_text];
if octave  % functions must come before their use, and not first
    copy = ['1;', functions_text, char(10), text];
end
end


function [text, code] = read_script(file)
% The script as two texts of the same length, one char a byte.
%
% text: with line ends char(10), and _ for each byte beyond ASCII: GNU Octave 7.3 goes
% wrong in isspace, strtrim and regexp on text that is not UTF-8. code: text with
% blanks for comments, for what is in quotes, and for a line end after ...
fid = fopen(file, 'r');
if fid < 0
    error('record_run:script', 'the script cannot be read: %s', file);
end
bytes = fread(fid, [1, Inf], 'uint8');
fclose(fid);
bytes(bytes > 126) = '_';
text = regexprep([char(bytes), char(10)], '^___', '');  % a byte order mark
text = [char(10), strrep(strrep(text, char([13, 10]), char(10)), char(13), char(10))];
code = text;
string = '(?<![\w)\]}.])''[^''\n]*''|"[^"\n]*"';  % elsewhere a ' transposes
block = '\n[ \t]*[%#]\{[ \t]*(?=\n).*?\n[ \t]*[%#]\}[ \t]*(?=\n)';
[first, last] = regexp(text, [string, '|\.\.\.[^\n]*\n|', block, '|[%#][^\n]*'], ...
    'start', 'end');
for i = 1:numel(first)
    quoted = any(text(first(i)) == '''"');
    code(first(i)+quoted:last(i)-quoted) = ' ';
end
end


function check_seeds(text, code)
% Stop with an error that has the line where the script seeds random numbers.
seeds = ['\<(?:rng|RandStream)\>|\<randn?[ \t]*\([ \t]*[''"]|', ...
    '\<randn?[ \t]+(?:seed|state|twister)\>'];
[first, last] = regexp(code, ['[^\n]*(?:', seeds, ')[^\n]*'], 'start', 'end', 'once');
if ~isempty(first)
    error('record_run:script', ...
        'record_run itself starts the random numbers; take this line out: %s', ...
        strtrim(text(first:last)));
end
end


function text = without_clear(text, code)
% The text with blanks for clear, clearvars, clc and close.
places = regexp(code, ['[\n;,][ \t]*((?:clear|clearvars|clc|close)', ...
    '(?:[ \t]+[^\n;,=( \t][^\n;,=]*|[ \t]*\([^\n;]*?\))?)[ \t]*(?=[\n;,])'], ...
    'tokenExtents');
for i = 1:numel(places)
    text(places{i}(1):places{i}(2)) = ' ';
end
end
