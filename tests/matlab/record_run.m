function record_run(script, out, seed, epoch, images_num)
% RECORD_RUN  Run your own copy of gan_adam.m or gan_mbgd.m and write down what it computes.
%
%   record_run('gan_adam.m', 'record.mat', 0, 2, 6000)
%
% script       path of gan_adam.m or gan_mbgd.m; the file itself is not changed
% out          .mat file to write (format v7), for python tests/matlab/compare_matlab.py OUT
% seed         whole number in 0..2^32-1, as for rng(seed, 'twister')
% epoch        number of epochs
% images_num   number of images, a multiple of the script's batch_size
%
% mnist_uint8.mat is looked for beside the script, then in this repository's folder data.
% A copy of the script runs in a temporary folder, where its pictures go too. It differs from the
% script only so: clear and clc are gone, epoch and images_num have the given values, both losses
% are kept at every step, and the final variables are handed over. Stops with an error if one of
% the lines to change is not there exactly once.
%
% out gets script ('gan_adam' or 'gan_mbgd'), producer, seed, epoch, images_num, batch_size,
% learning_rate, c_loss and d_loss (columns, one entry a step), images_fake (the last batch,
% batch_size x 784), generator and discriminator (as after the last step, without a, z, d, dw, db).
%
% In MATLAB the numbers are MATLAB's own. Octave draws other numbers than MATLAB from a seed, so
% there normrnd, unifrnd and randperm are replaced: they draw what MATLAB draws, to the last bit, by
% matlab_random.m. The arithmetic is Octave's. imwrite does nothing there.
%
% WHAT WAS RUN: the Octave branch, with GNU Octave 7.3. The MATLAB branch (R2018b or later) has been
% read with care, but NEVER RUN: no MATLAB was at hand.

octave = exist('OCTAVE_VERSION', 'builtin') ~= 0;
if nargin ~= 5
    error('record_run:usage', 'usage: record_run(script, out, seed, epoch, images_num)');
end
need_whole(seed, 0, 2^32 - 1, 'seed');
need_whole(epoch, 1, Inf, 'epoch');
need_whole(images_num, 1, 60000, 'images_num');
script = full_path(script);
name_of_out = out;
out = full_path(out);
if exist(fileparts(out), 'dir') ~= 7
    error('record_run:out', 'no folder for the output: %s', out);
end
[text, name] = edited(read_text(script), epoch, images_num, octave);

% the folders: a temporary one to run in, and the one with mnist_uint8.mat
here = fileparts(mfilename('fullpath'));
data = {fileparts(script), fullfile(fileparts(fileparts(here)), 'data')};
found = find([exist(fullfile(data{1}, 'mnist_uint8.mat'), 'file') == 2, ...
    exist(fullfile(data{2}, 'mnist_uint8.mat'), 'file') == 2], 1);
if isempty(found)
    error('record_run:data', 'mnist_uint8.mat is neither in %s nor in %s', data{1}, data{2});
end
folder = tempname();
mkdir(folder);
mkdir(fullfile(folder, 'pics'));
old = {pwd(), path(), warning()};
tidy = onCleanup(@() tidy_up(folder, old));
if octave
    warning('off', 'Octave:shadowed-function');
    warning('off', 'Octave:data-file-in-path');
end
write_text(fullfile(folder, 'record_script.m'), text);
write_shadows(folder, octave);
addpath(data{found});
addpath(folder);
cd(folder);
rehash();

% the run; the copy and the shadows find what they need in this global variable
global RECORD_RUN
RECORD_RUN = struct('c_loss', zeros(0, 1), 'd_loss', zeros(0, 1));
RECORD_RUN.normrnd = @matlab_normrnd;
RECORD_RUN.unifrnd = @matlab_unifrnd;
RECORD_RUN.randperm = @matlab_randperm;
if octave
    matlab_random('seed', seed);
else
    rng(seed, 'twister');
end
run_script(fullfile(folder, 'record_script.m'));

record = struct('script', name, 'seed', seed, 'epoch', epoch, 'images_num', images_num);
if octave
    record.producer = ['GNU Octave ', version()];
else
    record.producer = ['MATLAB ', version()];
end
names = {'batch_size', 'learning_rate', 'c_loss', 'd_loss', 'images_fake'};
for i = 1:numel(names)
    record.(names{i}) = RECORD_RUN.(names{i});
end
record.generator = without_passing(RECORD_RUN.generator);
record.discriminator = without_passing(RECORD_RUN.discriminator);
clear global RECORD_RUN
save(out, '-struct', 'record', '-v7');
fprintf('record:%s\n', name_of_out);
end


function run_script(file)
% Run the script `file` in a workspace of its own.
run(file);
end


function nn = without_passing(nn)
% The network without the values that every step computes anew.
for i = 1:numel(nn.layers)
    names = intersect(fieldnames(nn.layers{i}), {'a', 'z', 'd', 'dw', 'db'});
    nn.layers{i} = rmfield(nn.layers{i}, names);
end
end


% ------------------------------------------------------------------ the copy of the script

function [text, name] = edited(text, epoch, images_num, octave)
% The text of the copy, from the original's text; `name` is 'gan_adam' or 'gan_mbgd'.
name = 'gan_mbgd';
if ~isempty(strfind(text, 'w_m'))
    name = 'gan_adam';
end
text = replace_line(text, 'clear', 'clear( all)?', '');
text = replace_line(text, 'clc', 'clc', '');
text = replace_line(text, 'epoch = ...', 'epoch *= *[0-9]+', sprintf('epoch = %d;', epoch));
text = replace_line(text, 'images_num = ...', 'images_num *= *[0-9]+', ...
    sprintf('images_num = %d;', images_num));
update = 'discriminator = nnapplygrade(discriminator, learning_rate);';
lines = {update, ...
    'RECORD_RUN.c_loss(end+1,1) = sigmoid_cross_entropy(logits(1:batch_size), ones(batch_size, 1));', ...
    'RECORD_RUN.d_loss(end+1,1) = sigmoid_cross_entropy(logits, labels);'};
text = replace_line(text, update, ...
    'discriminator *= *nnapplygrade\(discriminator, *learning_rate\)', sprintf('%s\n', lines{:}));
first = regexp(text, '^[ \t]*function[ \t]', 'start', 'once', 'lineanchors');
if isempty(first)
    error('record_run:script', 'the script has no functions: is it gan_adam.m or gan_mbgd.m?');
end
functions = text(first:end);
text = sprintf('%s\n', 'global RECORD_RUN', text(1:first-1));
names = {'batch_size', 'learning_rate', 'images_fake', 'generator', 'discriminator'};
for i = 1:numel(names)
    text = sprintf('%sRECORD_RUN.%s = %s;\n', text, names{i}, names{i});
end
if octave  % functions must come before their use, and not first
    text = sprintf('1;\n%s\n%s', functions, text);
else
    text = sprintf('%s%s', text, functions);
end
end


function text = replace_line(text, what, pattern, new)
% Put `new` in the place of the one line of `text` that is `pattern`; `what` names it in the error.
[first, last] = regexp(text, ['^[ \t]*', pattern, '[ \t]*;?[ \t]*(%[^\n]*)?$'], ...
    'start', 'end', 'lineanchors');
if numel(first) ~= 1
    error('record_run:script', 'the script must have one line "%s", but has %d', what, numel(first));
end
text = [text(1:first-1), new, text(last+1:end)];
end


function text = read_text(file)
% The text of `file`, with plain line ends. Bytes beyond ASCII, in comments only, become ?.
fid = fopen(file, 'r');
if fid < 0
    error('record_run:script', 'the script cannot be read: %s', file);
end
bytes = fread(fid, [1, Inf], 'uint8');
fclose(fid);
if numel(bytes) >= 3 && isequal(bytes(1:3), [239, 187, 191])  % a byte order mark
    bytes = bytes(4:end);
end
bytes(bytes > 126) = double('?');
text = char(bytes);
text = strrep(text, char([13, 10]), char(10));
end


function write_text(file, text)
% Write `text` (ASCII) to `file`.
fid = fopen(file, 'w');
if fid < 0
    error('record_run:temp', 'the file cannot be written: %s', file);
end
fwrite(fid, text, 'uint8');
fclose(fid);
end


function write_shadows(folder, octave)
% Write into `folder` the functions that the script is to find there first.
for name = {'normrnd', 'unifrnd', 'randperm'}
    if octave || exist(name{1}, 'file') == 0 && exist(name{1}, 'builtin') == 0
        write_text(fullfile(folder, [name{1}, '.m']), sprintf(['function x = %s(varargin)\n', ...
            'global RECORD_RUN\nx = RECORD_RUN.%s(varargin{:});\nend\n'], name{1}, name{1}));
    end
end
if octave  % whose pictures differ, and may need a library
    write_text(fullfile(folder, 'imwrite.m'), sprintf('function imwrite(varargin)\nend\n'));
end
end


function tidy_up(folder, old)
% Undo what the run changed in the session: working folder, path and warnings are in `old`.
cd(old{1});
path(old{2});
warning(old{3});
if exist('OCTAVE_VERSION', 'builtin') ~= 0
    confirm_recursive_rmdir(false, 'local');
end
rmdir(folder, 's');
end


function file = full_path(file)
% `file` from the root on.
if ~ischar(file) || isempty(file)
    error('record_run:usage', 'script and out must be file names');
end
if isempty(regexp(file, '^([A-Za-z]:|[/\\])', 'once'))
    file = fullfile(pwd(), file);
end
end


function need_whole(x, low, high, name)
% Stop with an error unless x is a whole number in low..high.
if ~(isnumeric(x) && isscalar(x) && x >= low && x <= high && x == floor(x) && x < Inf)
    error('record_run:usage', '%s must be a whole number in %g..%g', name, low, high);
end
end


% ------------------------------------- the numbers that MATLAB draws (used where MATLAB lacks the
% toolbox, and in Octave)

function x = matlab_normrnd(mu, sigma, m, n)
% Normal numbers (m x n) with mean mu and standard deviation sigma.
if exist('OCTAVE_VERSION', 'builtin') ~= 0
    x = matlab_random('randn', m, n) * sigma + mu;
else
    x = randn(m, n) * sigma + mu;
end
end


function x = matlab_unifrnd(a, b, m, n)
% Uniform numbers (m x n) in a..b.
if exist('OCTAVE_VERSION', 'builtin') ~= 0
    u = matlab_random('rand', m, n);
else
    u = rand(m, n);
end
x = (a / 2 + b / 2) + (b / 2 - a / 2) * (2 * u - 1);
end


function kk = matlab_randperm(n)
% The numbers 1..n in random order (1 x n); for Octave only.
kk = matlab_random('randperm', n);
end
