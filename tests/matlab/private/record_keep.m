function varargout = record_keep(action, varargin)
% What a run leaves, kept between calls. The script's copy calls it RECORD_RUN.
%
% record_keep('begin', start)
%     begins anew; start as record_execute has it
% [generator, discriminator] = record_keep('loop', generator, discriminator)
%     before the first epoch: the networks to begin with, the checkpoint's if there is
%     one; the random numbers go on where its own ended
% record_keep('step', e, batch_size, learning_rate, c_loss, d_loss, images_fake, ...
%     generator, discriminator)
%     after each step
% kept = record_keep('all')
%     a struct with start, c_loss, d_loss (n x 1), and what the last step has handed over
persistent kept
switch action
    case 'begin'
        kept = struct('start', varargin{1}, 'c_loss', zeros(0, 1), ...
            'd_loss', zeros(0, 1));
    case 'loop'
        varargout = varargin;
        if isfield(kept.start, 'rng_state')
            check_network('generator', varargin{1}, kept.start.generator);
            check_network('discriminator', varargin{2}, kept.start.discriminator);
            varargout = {kept.start.generator, kept.start.discriminator};
            set_state(kept.start.rng_state);
        end
    case 'step'
        check_step(kept, varargin{[1, 2, 3, 5]});
        names = {'batch_size', 'learning_rate', 'images_fake', 'generator', ...
            'discriminator'};
        values = varargin([2, 3, 6, 7, 8]);
        for i = 1:numel(names)
            kept.(names{i}) = values{i};
        end
        kept.c_loss(end+1, 1) = varargin{4};
        kept.d_loss(end+1, 1) = varargin{5};
    case 'all'
        varargout = {kept};
end
end


function check_network(name, of_script, of_checkpoint)
% Stop with an error if the script builds another network than the checkpoint has.
if isfield(of_script, 't') ~= isfield(of_checkpoint, 't')
    error('record_run:checkpoint', ...
        'the checkpoint and the script are not both of gan_adam or both of gan_mbgd');
end
if ~isequal(of_script.architecture, of_checkpoint.architecture)
    error('record_run:checkpoint', ...
        'the %s has the sizes %s in the checkpoint, but %s in the script', name, ...
        mat2str(of_checkpoint.architecture), mat2str(of_script.architecture));
end
% the checkpoint's networks take the place of the script's, so these would not count
fields = intersect(fieldnames(of_script), {'beta1', 'beta2', 'epsilon'});
for i = 1:numel(fields)
    must_be_equal(fields{i}, of_script.(fields{i}), of_checkpoint.(fields{i}));
end
if isfield(of_script, 't')
    must_be_equal('t before the first step', of_script.t, 0);
end
end


function must_be_equal(name, of_script, of_checkpoint)
% Stop with an error if the script has another number than the checkpoint's run.
if ~isequal(of_script, of_checkpoint)
    error('record_run:checkpoint', ...
        '%s is %.15g in the script, and %.15g in the run of the checkpoint', ...
        name, of_script, of_checkpoint);
end
end


function set_state(words)
% Let the random numbers go on from the 625 words of the Mersenne Twister's state.
if exist('OCTAVE_VERSION', 'builtin') ~= 0
    matlab_random('state', words);
else
    rng(0, 'twister');
    stream = rng();
    stream.State = words;
    rng(stream);
end
end


function check_step(kept, e, batch_size, learning_rate, d_loss)
% Stop with an error if this is not the next step of a run that the port can make.
images_num = kept.start.images_num;
if mod(images_num, batch_size) ~= 0
    error('record_run:images_num', ...
        'images_num %d must be a multiple of batch_size %g', images_num, batch_size);
end
step = numel(kept.c_loss) + 1;
if isfield(kept.start, 'rng_state')
    must_be_equal('batch_size', batch_size, kept.start.batch_size);
    must_be_equal('learning_rate', learning_rate, kept.start.learning_rate);
end
if e ~= kept.start.first + ceil(step * batch_size / images_num)
    error('record_run:steps', 'an epoch must have images_num / batch_size steps');
end
if step > 1 && ~isequal([batch_size, learning_rate], ...
        [kept.batch_size, kept.learning_rate])
    error('record_run:steps', 'batch_size and learning_rate must not change');
end
if ~isscalar(d_loss)
    error('record_run:sizes', ...
        'd_loss is not one number: the discriminator''s last size must be 1');
end
end
