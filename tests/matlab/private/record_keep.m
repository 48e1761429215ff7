function varargout = record_keep(action, varargin)
% What a run leaves, kept between calls. The script's copy calls it RECORD_RUN.
%
% record_keep('begin', start)
%     begins anew; start as record_execute has it
% [generator, discriminator] = record_keep('loop', generator, discriminator)
%     before the first epoch: the networks to begin with, the checkpoint's if there is
%     one; the random numbers go on where its own ended
% record_keep('step', e, c_loss, d_loss, now)
%     after each step; now: a struct of batch_size, learning_rate, images_fake,
%     generator, discriminator
% kept = record_keep('all')
%     a struct with start, losses (n x 2), and last: the last `now`, at first []
persistent kept
switch action
    case 'begin'
        kept = struct('start', varargin{1}, 'losses', zeros(0, 2), 'last', []);
    case 'loop'
        varargout = varargin;
        saved = kept.start.checkpoint;
        if ~isempty(saved)
            check_network('generator', varargin{1}, saved.generator);
            check_network('discriminator', varargin{2}, saved.discriminator);
            varargout = {saved.generator, saved.discriminator};
            set_state(saved.rng_state);
        end
    case 'step'
        [e, c_loss, d_loss, now] = varargin{:};
        check_step(kept, e, now);
        kept.losses = [kept.losses; c_loss, d_loss];  % stops if one is not a number
        kept.last = now;
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
% the checkpoint's networks take the place of the script's, so these would not count
of_checkpoint.t = 0;  % as it was before the first step
for field = {'architecture', 't', 'beta1', 'beta2', 'epsilon'}
    if isfield(of_script, field{1})
        must_be_equal([name, '.', field{1}], of_script.(field{1}), ...
            of_checkpoint.(field{1}));
    end
end
end


function must_be_equal(name, of_script, before)
% Stop with an error if the script has other numbers than the run had before.
if ~isequal(of_script, before)
    error('record_run:changed', '%s is %s in the script, but was %s before', ...
        name, mat2str(of_script), mat2str(before));
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


function check_step(kept, e, now)
% Stop with an error if this is not the next step of a run that the port can make.
start = kept.start;
if mod(start.images_num, now.batch_size) ~= 0
    error('record_run:images_num', 'images_num %d must be a multiple of batch_size %g', ...
        start.images_num, now.batch_size);
end
before = kept.last;
if isempty(before)
    before = start.checkpoint;
end
if ~isempty(before)
    must_be_equal('batch_size', now.batch_size, before.batch_size);
    must_be_equal('learning_rate', now.learning_rate, before.learning_rate);
end
steps = size(kept.losses, 1) + 1;
if e ~= start.first + ceil(steps * now.batch_size / start.images_num)
    error('record_run:steps', 'an epoch must have images_num / batch_size steps');
end
end
