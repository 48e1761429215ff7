function record_execute(script, out, start)
% Run a copy of `script` as `start` says, and write the record `out`.
%
% For record_run and record_from. start: a struct with seed, first, epoch, images_num;
% from a checkpoint also script, batch_size, learning_rate, rng_state, generator,
% discriminator.
octave = exist('OCTAVE_VERSION', 'builtin') ~= 0;
here = fileparts(fileparts(record_full_path(mfilename('fullpath'), 'this file')));
name_of_out = char(out);
script = record_full_path(script, 'script');
if exist(script, 'file') ~= 2 && exist([script, '.m'], 'file') == 2
    script = [script, '.m'];
end
out = file_to_write(out, script);
[copy, start, functions] = record_edit(script, start, octave);
if mod(start.images_num, start.batch_size) ~= 0
    error('record_run:images_num', ...
        'images_num %d must be a multiple of batch_size %g', ...
        start.images_num, start.batch_size);
end
data = data_folder({fileparts(script), [fileparts(fileparts(here)), '/data']});

record = struct('script', start.script, 'seed', start.seed, 'first', start.first);
names = {'epoch', 'images_num', 'batch_size', 'learning_rate'};
for i = 1:numel(names)
    record.(names{i}) = start.(names{i});
end
record.images_check = check_of_images([data, '/mnist_uint8.mat'], ...
    start.images_num, start.sizes.generator(end));
record.producer = ['MATLAB ', version()];
if octave
    record.producer = ['GNU Octave ', version()];
end

old = struct('folder', pwd(), 'path', path(), 'warnings', warning(), ...
    'stream', []);
if octave
    warning('off', 'Octave:shadowed-function', 'local');
    warning('off', 'Octave:data-file-in-path', 'local');
else
    old.stream = rng();
end
folder = tempname();
mkdir([folder, '/pics']);
record_keep('start', start);
tidy = onCleanup(@() finish(folder, old, out, record, functions));
write_text([folder, '/record_script.m'], copy);
write_shadows(folder, octave);
path_from_the_root(octave);
addpath(here, data);
addpath(folder);
cd(folder);
rehash();
set_stream(start, octave);
run_script([folder, '/record_script.m']);
write_record(out, record, 1);
record_keep('start', []);
fprintf('record:%s\n', name_of_out);
end


function run_script(file)
% Run the script `file` in a workspace of its own, where RECORD_RUN is record_keep.
RECORD_RUN = @record_keep; %#ok<NASGU>
run(file);
end


% ---------------------------------------------------------------------------- the files

function out = file_to_write(out, script)
% The full path of the record, with .mat; stops with an error if it cannot be written.
out = record_full_path(out, 'out');
if same_file(out, script)
    error('record_run:out', 'out must not be the script: %s', script);
end
if exist(out, 'dir') == 7
    error('record_run:out', 'out must be a file, not a folder: %s', out);
end
if numel(out) < 4 || ~strcmpi(out(end-3:end), '.mat')
    out = [out, '.mat'];
end
if exist(fileparts(out), 'dir') ~= 7
    error('record_run:out', 'the folder for the output does not exist: %s', out);
end
if exist(out, 'dir') == 7
    error('record_run:out', 'out must be a file, not a folder: %s', out);
end
if exist(out, 'file') == 2 && ~is_record(out)
    error('record_run:out', 'out already exists and is not a record: %s', out);
end
end


function yes = same_file(a, b)
% Whether both paths are those of one file that exists.
[there_a, a] = fileattrib(a);
[there_b, b] = fileattrib(b);
yes = there_a && there_b && isstruct(a) && isstruct(b) ...
    && (strcmp(a.Name, b.Name) ...
    || (ispc() || ismac()) && strcmpi(a.Name, b.Name));
end


function yes = is_record(file)
% Whether the file is a .mat file with what every record has.
yes = false;
try
    names = whos('-file', file);
    yes = all(ismember({'script', 'producer', 'images_fake'}, {names.name}));
catch
end
end


function folder = data_folder(folders)
% The first of both folders that has mnist_uint8.mat.
for i = 1:2
    folder = folders{i};
    if exist([folder, '/mnist_uint8.mat'], 'file') == 2
        return
    end
end
error('record_run:data', 'mnist_uint8.mat is neither in %s nor in %s', folders{:});
end


function sums = check_of_images(file, images_num, width)
% Two exact whole numbers (1 x 2) that tell whether the first images are the same.
%
% Stops with an error if train_x in the file has not the columns that `width` says.
loaded = load(file, 'train_x');
if ~isfield(loaded, 'train_x') || ~isa(loaded.train_x, 'uint8') ...
        || ~ismatrix(loaded.train_x)
    error('record_run:data', 'the file has no matrix train_x of uint8: %s', file);
end
[rows, columns] = size(loaded.train_x);
if columns ~= width || rows < images_num
    error('record_run:data', ['train_x must have %d columns and %d rows or more, ', ...
        'by the generator''s last size and images_num, but is %d x %d: %s'], ...
        width, images_num, rows, columns, file);
end
x = loaded.train_x(1:images_num, :);
sums = [sum(x, 1, 'double') * (1:width)', (1:images_num) * sum(x, 2, 'double')];
end


function write_text(file, text)
% Write `text`, one byte a char, to `file`.
fid = fopen(file, 'w');
if fid < 0
    error('record_run:temp', 'the file cannot be written: %s', file);
end
fwrite(fid, double(text), 'uint8');
fclose(fid);
end


function write_shadows(folder, octave)
% Write into `folder` the functions that the script is to find there first.
shadow(folder, 'normrnd', 'toolbox_random');
shadow(folder, 'unifrnd', 'toolbox_random');
if octave
    shadow(folder, 'rand', 'matlab_random');
    shadow(folder, 'randn', 'matlab_random');
    shadow(folder, 'randi', 'matlab_random');
    shadow(folder, 'randperm', 'matlab_random');
    % Octave's pictures differ, and may need a library
    write_text([folder, '/imwrite.m'], sprintf('function imwrite(varargin)\nend\n'));
end
end


function shadow(folder, name, source)
% Write a function `name` into `folder` that leaves its work to the function `source`.
head = sprintf('function x = %s(varargin)\n', name);
body = sprintf('x = %s(''%s'', varargin{:});\n', source, name);
write_text([folder, '/', name, '.m'], [head, body, sprintf('end\n')]);
end


function write_record(out, record, complete)
% Write the record: what is in `record`, and what the run has left behind.
kept = record_keep('all');
record.complete = complete;
names = {'c_loss', 'd_loss', 'images_fake', 'printed'};
for i = 1:numel(names)
    record.(names{i}) = kept.(names{i});
end
record.generator = without_passing(kept.generator);
record.discriminator = without_passing(kept.discriminator);
save(out, '-struct', 'record', '-v7');
end


function nn = without_passing(nn)
% The network without the values that every step computes anew.
for i = 1:numel(nn.layers)
    names = intersect(fieldnames(nn.layers{i}), {'a', 'z', 'd', 'dw', 'db'});
    nn.layers{i} = rmfield(nn.layers{i}, names);
end
end


% -------------------------------------------------------------------------- the session

function path_from_the_root(octave)
% Write out relative entries: Octave loses them when the working folder changes.
if ~octave
    return
end
entries = [path(), pathsep()];
full = '';
first = 1;
for last = find(entries == pathsep()) - 1
    entry = entries(first:last);
    if ~isempty(entry) && ~strcmp(entry, '.')
        entry = record_full_path(entry, 'the path''s entry');
    end
    full = [full, entry, pathsep()]; %#ok<AGROW>
    first = last + 2;
end
path(full(1:end-1));
end


function set_stream(start, octave)
% Start the random numbers from start.rng_state if it exists, else from start.seed.
if isfield(start, 'rng_state')
    if octave
        matlab_random('state', start.rng_state);
    else
        rng(0, 'twister');
        stream = rng();
        stream.State = start.rng_state;
        rng(stream);
    end
elseif octave
    matlab_random('seed', start.seed);
else
    rng(start.seed, 'twister');
end
end


function finish(folder, old, out, record, functions)
% Leave the session as it was, and write the record of a run that was broken off.
kept = record_keep('all');
if isfield(kept, 'c_loss') && ~isempty(kept.c_loss) && ~isempty(kept.start)
    try
        write_record(out, record, 0);
        fprintf('broken off after %d steps; record:%s\n', numel(kept.c_loss), out);
    catch problem
        fprintf('broken off; the record cannot be written: %s\n', problem.message);
    end
end
record_keep('start', []);
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
