function [text, code] = record_text(file)
% The script `file` as two texts of the same length, one char a byte.
%
% text: with line ends char(10), without a byte order mark, comments blank. Bytes
% beyond ASCII stay as they are: give text to no isspace, strtrim, regexp or strsplit.
% GNU Octave's go by UTF-8, and write past the end of a text that stops within a
% character, as one in GBK may.
% code: text with what is in strings blank, and '?' for bytes beyond ASCII; the line
% end after a continuation ... is blank too, so that each statement is on one line.
fid = fopen(file, 'r');
if fid < 0
    error('record_run:script', 'the script cannot be read: %s', file);
end
bytes = fread(fid, [1, Inf], 'uint8');
fclose(fid);
if numel(bytes) >= 3 && isequal(bytes(1:3), [239, 187, 191])  % a byte order mark
    bytes = bytes(4:end);
end
bytes([bytes(1:end-1) == 13 & bytes(2:end) == 10, false]) = [];
bytes(bytes == 13) = 10;
text = [char(bytes), char(10)];
code = record_ascii(text);
ends = find(text == char(10));
first = 1;
inside = 0;  % how many %{ are open
for last = ends - 1
    line = first:last;
    word = strtrim(code(line));
    if numel(word) == 2 && any(word(1) == '%#') && word(2) == '{'
        inside = inside + 1;
    end
    if inside > 0
        text(line) = ' ';
        code(line) = ' ';
    else
        [comment, string, goes_on] = parts(text(line));
        text(line(comment)) = ' ';
        code(line(comment | string)) = ' ';
        if goes_on
            code(last + 1) = ' ';
            dots = find(~comment, 3, 'last');
            code(line(dots)) = ' ';
        end
    end
    if inside > 0 && numel(word) == 2 && any(word(1) == '%#') && word(2) == '}'
        inside = inside - 1;
    end
    first = last + 2;
end
end


function [comment, string, goes_on] = parts(line)
% Where in `line` a comment is, and where the inside of a string is.
%
% comment, string: logical, as long as line. goes_on: whether the line ends with ...,
% the rest being comment.
values = ['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_)]}''.'];
comment = false(size(line));
string = comment;
goes_on = false;
quote = ' ';  % the quote that is open
i = 1;
while i <= numel(line)
    c = line(i);
    if quote ~= ' '
        if c ~= quote
            string(i) = true;
        elseif i < numel(line) && line(i+1) == quote  % twice: a quote inside
            string(i:i+1) = true;
            i = i + 1;
        else
            quote = ' ';
        end
    elseif c == '%' || c == '#'
        comment(i:end) = true;
        return
    elseif strncmp(line(i:end), '...', 3)
        comment(i+3:end) = true;
        goes_on = true;
        return
    elseif c == '"' || c == '''' && ~(i > 1 && any(line(i-1) == values))
        quote = c;  % elsewhere a ' transposes
    end
    i = i + 1;
end
end
