function record_run(script, out, seed, epoch, images_num)
% RECORD_RUN  Run your own copy of gan_adam.m or gan_mbgd.m and record what it computes.
%
%   record_run('gan_adam.m', 'record.mat', 0, 2, 6000)
%
% script       path of gan_adam.m or gan_mbgd.m; the file itself is not changed
% out          .mat file to write (format v7), for
%              python tests/matlab/compare_matlab.py OUT
% seed         whole number in 0..2^32-1, as for rng(seed, 'twister')
% epoch        number of epochs
% images_num   number of images, a multiple of the script's batch_size, at most 60000
%
% See also RECORD_FROM, which goes on from a checkpoint of the Python port.
%
% It looks for mnist_uint8.mat beside the script, then in this repository's folder data.
% A copy of the script runs in a temporary folder, where its pictures go too. There
%   - clear, clearvars, clc and close are left out
%   - epoch and images_num have the given values
%   - both losses and the networks are kept at every step
%   - bytes beyond ASCII are _, so the script may be in UTF-8, GBK or another encoding
%   - normrnd and unifrnd, whose toolbox may be missing, are matlab_random's
% It stops with an error, before anything runs, when one of the lines to change is not
% there exactly once, or when the script seeds random numbers (rng, RandStream): take
% that line out. The networks may have any sizes and numbers of layers. The session is
% left as it was: random numbers, path, working folder, warnings, variables.
%
% out gets
%   script        'gan_adam', where the networks have t, else 'gan_mbgd'
%   producer      'MATLAB ' or 'GNU Octave ', and the version
%   seed, images_num, batch_size, learning_rate
%   first, epoch  the numbers of the epoch before the first one, 0 here, and of the last
%   c_loss, d_loss                the losses of every step (n x 1); of a run that an error
%                 or Ctrl-C has broken off fewer, and all the rest is as after the last
%   images_fake   the last batch, batch_size x the generator's last size
%   generator, discriminator      as after the last step, without a, z, d, dw, db
%   images_check  two sums that tell other images (1 x 2)
%
% In MATLAB (R2016b or later) the numbers are MATLAB's own; that branch was NEVER RUN, as
% no MATLAB was at hand. In Octave (run with 7.3) matlab_random.m draws what MATLAB draws
% from the seed, to the last bit; the arithmetic is Octave's, and imwrite does nothing.

record_execute(script, out, struct('seed', seed, 'first', 0, 'epoch', epoch, ...
    'images_num', images_num, 'checkpoint', []));
end
