function record_execute(script, out, start)
% Run a copy of `script` as `start` says, and write the record `out`.
%
% For record_run and record_from. start: a struct with seed, first, epoch, images_num,
% and checkpoint: the variables of the checkpoint to go on from, or [].
need_whole('seed', start.seed, 0, 2^32 - 1);
need_whole('epoch', start.epoch, 1, 10^6);
need_whole('images_num', start.images_num, 1, 60000);
octave = exist('OCTAVE_VERSION', 'builtin') ~= 0;
here = fileparts(fileparts(mfilename('fullpath')));
script = full_path(script, 'script', '.m');
out = full_path(out, 'out', '.mat');
check_no_loss(out);
[copy, functions] = record_edit(script, start, octave);
data = fileparts(script);
if exist([data, '/mnist_uint8.mat'], 'file') ~= 2
    data = [fileparts(fileparts(here)), '/data'];
end
record = rmfield(start, 'checkpoint');
record.images_check = check_of_images([data, '/mnist_uint8.mat'], start.images_num);
record.producer = ['MATLAB ', version()];
if octave
    record.producer = ['GNU Octave ', version()];
end

old = struct('folder', pwd(), 'path', path(), 'warnings', warning(), 'stream', []);
if ~octave
    old.stream = rng();
end
folder = tempname();
mkdir([folder, '/pics']);
record_keep('begin', start);
tidy = onCleanup(@() finish(folder, old, out, record, functions));
write_text([folder, '/record_script.m'], copy);
write_shadows(folder, octave);
if octave
    warning('off', 'Octave:shadowed-function', 'local');
    warning('off', 'Octave:data-file-in-path', 'local');
    path_from_the_root();
    matlab_random('seed', start.seed);
else
    rng(start.seed, 'twister');
end
addpath(here, data);
addpath(folder);
cd(folder);
rehash();
run_script([folder, '/record_script.m']);
kept = record_keep('all');
epochs = start.epoch - start.first;
if isempty(kept.last) ...
        || size(kept.losses, 1) * kept.last.batch_size ~= epochs * start.images_num
    error('record_run:steps', 'the script ended before its last step');
end
write_record(out, record);
record_keep('begin', []);
fprintf('record:%s\n', out);
end


function run_script(file)
% Run the script `file` in a workspace of its own, where RECORD_RUN is record_keep.
RECORD_RUN = @record_keep; %#ok<NASGU>
run(file);
end


function need_whole(name, x, low, high)
% Stop with an error that names `name` unless x is a whole number in low..high.
if ~(isa(x, 'double') && isscalar(x) && x >= low && x <= high && x == floor(x))
    error('record_run:usage', '%s must be a whole number in %d..%d', name, low, high);
end
end


% ---------------------------------------------------------------------------- the files

function file = full_path(file, name, ending)
% `file` from the root on, with its `ending`; an error has `name`, of the argument.
if isa(file, 'string')
    file = char(file);
end
if ~ischar(file) || size(file, 1) ~= 1
    error('record_run:usage', '%s must be the name of a file', name);
end
[folder, base, own] = fileparts(file);
if isempty(folder)
    folder = '.';
end
[there, found] = fileattrib(folder);
if ~there
    error('record_run:usage', 'the folder of %s does not exist: %s', name, file);
end
file = [found.Name, '/', base, own];
if ~strcmpi(own, ending)
    file = [file, ending];
end
end


function check_no_loss(out)
% Stop with an error if `out` is there and is not a record.
names = {};
try
    found = whos('-file', out);
    names = {found.name};
catch  % no file, or no .mat file
end
if exist(out, 'file') ~= 0 && ~any(strcmp(names, 'images_check'))
    error('record_run:out', 'out already exists and is not a record: %s', out);
end
end


function sums = check_of_images(file, images_num)
% Two exact whole numbers (1 x 2) that tell whether the first images are the same.
loaded = load(file, 'train_x');
if ~isfield(loaded, 'train_x') || ~isa(loaded.train_x, 'uint8') ...
        || ~ismatrix(loaded.train_x) || size(loaded.train_x, 1) < images_num
    error('record_run:data', ...
        'the file must have train_x of uint8 with %d rows or more: %s', ...
        images_num, file);
end
x = loaded.train_x(1:images_num, :);
sums = [sum(x, 1, 'double') * (1:size(x, 2))', (1:images_num) * sum(x, 2, 'double')];
end


function write_text(file, text)
% Write `text`, all of it ASCII, to `file`.
fid = fopen(file, 'w');
fwrite(fid, text);
fclose(fid);
end


function write_shadows(folder, octave)
% Write into `folder` the functions that the script is to find there first.
names = {'normrnd', 'unifrnd'};  % their toolbox may be missing
if octave
    names = [names, {'rand', 'randn', 'randperm', 'randi'}];  % no port has randi
    % its pictures differ, and may need a library
    write_text([folder, '/imwrite.m'], sprintf('function imwrite(varargin)\nend\n'));
end
text = 'function x = %s(varargin)\nx = matlab_random(''%s'', varargin{:});\nend\n';
for name = names
    write_text([folder, '/', name{1}, '.m'], sprintf(text, name{1}, name{1}));
end
end


function write_record(out, record)
% Write the record: what is in `record`, and what the run has left behind.
kept = record_keep('all');
record.c_loss = kept.losses(:, 1);
record.d_loss = kept.losses(:, 2);
for name = {'batch_size', 'learning_rate', 'images_fake'}
    record.(name{1}) = kept.last.(name{1});
end
record.script = 'gan_mbgd';
if isfield(kept.last.generator, 't')
    record.script = 'gan_adam';
end
for name = {'generator', 'discriminator'}
    record.(name{1}) = without_passing(kept.last.(name{1}));
end
save(out, '-struct', 'record', '-v7');
end


function nn = without_passing(nn)
% The network without the values that every step computes anew.
nn.layers{1} = struct();  % the input, which had only a
for i = 2:numel(nn.layers)
    names = intersect(fieldnames(nn.layers{i}), {'a', 'z', 'd', 'dw', 'db'});
    nn.layers{i} = rmfield(nn.layers{i}, names);
end
end


% -------------------------------------------------------------------------- the session

function path_from_the_root()
% Write out relative entries: Octave loses them when the working folder changes.
entries = ostrsplit(path(), pathsep());  % strsplit goes by UTF-8, a name may not
entries = cellfun(@make_absolute_filename, entries, 'UniformOutput', false);
path(strjoin(entries, pathsep()));
end


function finish(folder, old, out, record, functions)
% Leave the session as it was, and write the record of a run that was broken off.
kept = record_keep('all');
if ~isempty(kept.last)
    try
        write_record(out, record);
        fprintf('broken off after %d steps; record:%s\n', size(kept.losses, 1), out);
    catch problem
        fprintf('broken off; the record cannot be written: %s\n', problem.message);
    end
end
record_keep('begin', []);
cd(old.folder);
path(old.path);
warning(old.warnings);
if isempty(old.stream)  % Octave, where the script's functions would stay
    clear('-f', functions{:});
    confirm_recursive_rmdir(false, 'local');
else
    rng(old.stream);
end
[~, ~] = rmdir(folder, 's');
end
