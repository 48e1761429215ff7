function record_from(script, out, checkpoint, images_num)
% RECORD_FROM  Run your own copy of gan_adam.m or gan_mbgd.m on from a checkpoint.
%
%   record_from('gan_adam.m', 'record.mat', 'run.mat', 6000)
%
% script       path of gan_adam.m or gan_mbgd.m; the file itself is not changed
% out          .mat file to write, as by record_run
% checkpoint   what python gan_adam.py --checkpoint FILE has written
% images_num   number of images, a multiple of the checkpoint's batch_size, at most
%              60000
%
% One epoch is run, number e + 1 where the checkpoint was written after epoch e: from the
% loop on, the networks are the checkpoint's, and the random numbers go on where its own
% ended. All the rest is as for RECORD_RUN: help record_run. In out, `first` is the
% checkpoint's e, `epoch` is e + 1, and seed is the checkpoint's.
%
% It refuses a checkpoint of the other script, one with other sizes, another batch_size,
% learning_rate, beta1, beta2 or epsilon than the script's, one with precision single,
% and one with gradient exact.

saved = load(checkpoint);
names = {'e', 'batch_size', 'learning_rate', 'seed', 'precision', 'gradient', ...
    'rng_state', 'generator', 'discriminator'};
if ~all(isfield(saved, names))
    error('record_run:checkpoint', 'not a checkpoint of the port: %s', checkpoint);
end
if ~strcmp(saved.precision, 'double') || ~strcmp(saved.gradient, 'matlab')
    error('record_run:checkpoint', ['the checkpoint has precision %s and ', ...
        'gradient %s; only double and matlab compute what the script does: %s'], ...
        saved.precision, saved.gradient, checkpoint);
end
record_execute(script, out, struct('seed', saved.seed, 'first', saved.e, ...
    'epoch', saved.e + 1, 'images_num', images_num, 'checkpoint', saved));
end
