function check_checkpoint(file, out)
% Check that a checkpoint has the form of the original's workspace, and use it.
%
% file: what --checkpoint wrote, with noise (B x 100) beside it in noise.mat;
% out: gets images_fake, the generator's output for that noise, from formulas of our
% own.
% Stops with an error at the first thing that is not as it should be.
% Run under GNU Octave 7.3; plain enough for MATLAB, where it was not run.
run = load(file);
noise = load(fullfile(fileparts(file), 'noise.mat'));
check_network(run.generator, [100, 512, 784]);
check_network(run.discriminator, [784, 512, 1]);
names = {'e', 'batch_size', 'images_num', 'learning_rate', 'seed'};
for i = 1:numel(names)
    value = run.(names{i});
    assert(isa(value, 'double') && isscalar(value), ...
        [names{i}, ' is not a double scalar']);
end
steps = run.e * run.images_num / run.batch_size;
assert(isequal(size(run.c_loss), [steps, 1]) && isequal(size(run.d_loss), [steps, 1]));
assert(isa(run.rng_state, 'uint32') && isequal(size(run.rng_state), [625, 1]));
images_fake = noise.noise;
for i = 2:run.generator.layers_count
    layer = run.generator.layers{i};
    z = bsxfun(@plus, images_fake * layer.w, layer.b);
    images_fake = max(z, 0);
end
images_fake = 1 ./ (1 + exp(-z));
save('-v7', out, 'images_fake');
end

function check_network(nn, architecture)
assert(isa(nn.architecture, 'double') && isequal(nn.architecture, architecture));
assert(isa(nn.layers_count, 'double') && nn.layers_count == 3);
assert(iscell(nn.layers) && isequal(size(nn.layers), [1, 3]));
nn.layers{1}.a = 0; % as the original's nnff does
fields = {'w', 'b'};
if isfield(nn, 't')
    assert(nn.beta2 ^ nn.t > 0 && isa(nn.t, 'double') && nn.epsilon == 1e-8);
    fields = {'w', 'b', 'w_m', 'b_m', 'w_v', 'b_v'};
end
for i = 2:3
    for k = 1:numel(fields)
        x = nn.layers{i}.(fields{k});
        rows = 1;
        if fields{k}(1) == 'w'
            rows = architecture(i - 1);
        end
        assert(isa(x, 'double'), fields{k});
        assert(isequal(size(x), [rows, architecture(i)]), fields{k});
    end
end
end
