function start = record_checkpoint(file)
% What a run goes on from, read from the port's checkpoint `file`.
%
% start: a struct with script, seed, first, epoch, batch_size, learning_rate, rng_state
% (625 x 1 uint32), generator and discriminator. Stops with an error if the file is
% unfit.
try
    saved = load(file);
catch problem
    error('record_run:checkpoint', 'the checkpoint cannot be read: %s', ...
        problem.message);
end
names = {'e', 'batch_size', 'learning_rate', 'seed', 'precision', 'gradient', ...
    'rng_state', 'generator', 'discriminator'};
for i = 1:numel(names)
    if ~isfield(saved, names{i})
        error('record_run:checkpoint', ...
            'not a checkpoint of the port, since it lacks %s: %s', names{i}, file);
    end
end
if ~strcmp(saved.precision, 'double') || ~strcmp(saved.gradient, 'matlab')
    error('record_run:checkpoint', ['the checkpoint has precision %s and ', ...
        'gradient %s; only double and matlab compute what the script does: %s'], ...
        char(saved.precision), char(saved.gradient), file);
end
record_need_whole(saved.e, 0, 10^6, 'the checkpoint''s e');
record_need_whole(saved.batch_size, 1, 60000, 'the checkpoint''s batch_size');
record_need_whole(saved.seed, 0, 2^32 - 1, 'the checkpoint''s seed');
start = struct('script', 'gan_mbgd', 'seed', saved.seed, 'first', saved.e, ...
    'epoch', saved.e + 1, 'batch_size', saved.batch_size, ...
    'learning_rate', saved.learning_rate, ...
    'rng_state', words_of(saved.rng_state, file));
if isfield(saved.generator, 't')
    start.script = 'gan_adam';
end
nets = {'generator', 'discriminator'};
for i = 1:2
    if ~is_network(saved.(nets{i}), start.script)
        error('record_run:checkpoint', ['the checkpoint''s %s lacks fields, ', ...
            'or they do not fit its architecture: %s'], nets{i}, file);
    end
    start.(nets{i}) = saved.(nets{i});
end
end


function words = words_of(state, file)
% The 625 words (uint32 column) of the twister: from MATLAB's struct, or the words.
if isstruct(state) && isscalar(state) && all(isfield(state, {'Type', 'State'}))
    what = ['the generator ', char(state.Type)];
    numbers = state.State;
    right = strcmp(state.Type, 'twister');
else
    what = sprintf('%s of size %s', class(state), mat2str(size(state)));
    numbers = state;
    right = true;
end
right = right && isnumeric(numbers) && isreal(numbers) && isvector(numbers) ...
    && numel(numbers) == 625;
if right
    words = double(numbers(:));
    right = all(words >= 0 & words < 2^32 & words == floor(words)) ...
        && words(625) <= 624 && any(words(1:624));
end
if ~right
    error('record_run:checkpoint', ['rng_state must be s or s.State of s = rng ', ...
        'with the generator twister (625 words), but is of %s: %s'], what, file);
end
words = uint32(words);
end


function right = is_network(nn, script)
% Whether nn is a network of `script`, all in double, with the sizes in architecture.
fields = {'w', 'b'};
numbers = {};
if strcmp(script, 'gan_adam')
    fields = {'w', 'b', 'w_m', 'w_v', 'b_m', 'b_v'};
    numbers = {'t', 'beta1', 'beta2', 'epsilon'};
end
names = [{'architecture', 'layers_count', 'layers'}, numbers];
right = isstruct(nn) && isscalar(nn) && all(isfield(nn, names));
if ~right
    return
end
sizes = nn.architecture;
count = numel(sizes);
right = isa(sizes, 'double') && size(sizes, 1) == 1 && count > 1 ...
    && isequal(nn.layers_count, count) ...
    && iscell(nn.layers) && numel(nn.layers) == count;
for i = 1:numel(numbers)
    right = right && isa(nn.(numbers{i}), 'double') && isscalar(nn.(numbers{i}));
end
if ~right
    return
end
for i = 2:count
    for k = 1:numel(fields)
        rows = 1;
        if fields{k}(1) == 'w'
            rows = sizes(i - 1);
        end
        right = right && isfield(nn.layers{i}, fields{k}) ...
            && isa(nn.layers{i}.(fields{k}), 'double') ...
            && isequal(size(nn.layers{i}.(fields{k})), [rows, sizes(i)]);
    end
end
end
