function start = record_checkpoint(file)
% What a run goes on from, read from the port's checkpoint `file`; stops with an error if unfit.
%
% start: a struct with script, seed, first, epoch, batch_size, learning_rate, rng_state (625 x 1
% uint32), generator and discriminator.
try
    saved = load(file);
catch problem
    error('record_run:checkpoint', 'the checkpoint cannot be read: %s', problem.message);
end
names = {'e', 'batch_size', 'learning_rate', 'seed', 'precision', 'gradient', 'rng_state', ...
    'generator', 'discriminator'};
for i = 1:numel(names)
    if ~isfield(saved, names{i})
        error('record_run:checkpoint', ...
            'no checkpoint of the port, it has no %s: %s', names{i}, file);
    end
end
if ~strcmp(saved.precision, 'double') || ~strcmp(saved.gradient, 'matlab')
    error('record_run:checkpoint', ['the checkpoint has precision %s and gradient %s; ', ...
        'only double and matlab compute what the script does: %s'], ...
        char(saved.precision), char(saved.gradient), file);
end
record_need_whole(saved.e, 0, 10^6, 'the checkpoint''s e');
record_need_whole(saved.batch_size, 1, 60000, 'the checkpoint''s batch_size');
record_need_whole(saved.seed, 0, 2^32 - 1, 'the checkpoint''s seed');
start = struct('script', 'gan_mbgd', 'seed', saved.seed, 'first', saved.e, ...
    'epoch', saved.e + 1, 'batch_size', saved.batch_size, ...
    'learning_rate', saved.learning_rate, 'rng_state', saved.rng_state);
if isfield(saved.generator, 't')
    start.script = 'gan_adam';
end
need_network(saved.generator, [100, 512, 784], start.script, file);
need_network(saved.discriminator, [784, 512, 1], start.script, file);
start.generator = saved.generator;
start.discriminator = saved.discriminator;
words = saved.rng_state;
if ~isa(words, 'uint32') || ~isequal(size(words), [625, 1]) || words(625) > 624
    error('record_run:checkpoint', 'the checkpoint has no stream of 625 words: %s', file);
end
end


function need_network(nn, architecture, script, file)
% Stop with an error unless nn is a network of `script` with this architecture, all in double.
fields = {'w', 'b'};
numbers = {};
if strcmp(script, 'gan_adam')
    fields = {'w', 'b', 'w_m', 'w_v', 'b_m', 'b_v'};
    numbers = {'t', 'beta1', 'beta2', 'epsilon'};
end
right = isstruct(nn) && all(isfield(nn, [{'architecture', 'layers_count', 'layers'}, numbers])) ...
    && isequal(nn.architecture, architecture) && isequal(nn.layers_count, 3) ...
    && iscell(nn.layers) && numel(nn.layers) == 3;
for i = 1:numel(numbers)
    right = right && isa(nn.(numbers{i}), 'double') && isscalar(nn.(numbers{i}));
end
for i = 2:3
    for k = 1:numel(fields)
        rows = 1;
        if fields{k}(1) == 'w'
            rows = architecture(i - 1);
        end
        right = right && isfield(nn.layers{i}, fields{k}) ...
            && isa(nn.layers{i}.(fields{k}), 'double') ...
            && isequal(size(nn.layers{i}.(fields{k})), [rows, architecture(i)]);
    end
end
if ~right
    error('record_run:checkpoint', ...
        'the checkpoint has another architecture than [%s], or other fields: %s', ...
        num2str(architecture, '%d, %d, %d'), file);
end
end
