function x = matlab_random(what, varargin)
% MATLAB_RANDOM  The random numbers of a fresh MATLAB, to the last bit, in GNU Octave.
%
%   matlab_random('seed', 0)          as rng(0, 'twister')
%   matlab_random('state', words)     as s.State = words (625 of uint32), rng(s)
%   x = matlab_random('rand', m, n)   as rand(m, n)
%   x = matlab_random('randn', m, n)  as randn(m, n)
%   kk = matlab_random('randperm', n) as randperm(n)
%   x = matlab_random('normrnd', mu, sigma, m, n)   as normrnd(mu, sigma, m, n)
%   x = matlab_random('unifrnd', a, b, m, n)        as unifrnd(a, b, m, n)
%
% It takes MATLAB's sizes: none for 1 x 1, n for n x n, [m, n] or m, n, ... Other forms,
% as rand(m, n, 'single') or randperm(n, k), and other names stop with an error.
%
% One stream serves all, the Mersenne Twister MT19937. Each number takes a pair of its
% 32-bit words, and some normal numbers more. data/randn_edges.txt has what randn needs.
% Run under GNU Octave 7.3, where its numbers equal those of gan_adam.py, which equal
% MATLAB's. normrnd and unifrnd call randn and rand: in Octave those that record_run
% sets up, else MATLAB's own, where their toolbox is missing (not run there).
switch what
    case {'seed', 'state'}
        stream(what, varargin{1});
        x = [];
    case 'rand'
        dims = size_of(what, varargin);
        x = reshape(uniform(stream('take', prod(dims))), dims);
    case 'randn'
        dims = size_of(what, varargin);
        x = reshape(ziggurat(prod(dims)), dims);
    case 'randperm'
        if numel(varargin) ~= 1
            error('matlab_random:usage', 'randperm: only randperm(n) is known here');
        end
        [~, x] = sort(uniform(stream('take', varargin{1})));
    case {'normrnd', 'unifrnd'}
        x = of_toolbox(what, varargin{:});
    otherwise
        error('matlab_random:usage', 'matlab_random: not known: %s', what);
end
end


function x = of_toolbox(name, first, second, varargin)
% normrnd and unifrnd: the formulas of MATLAB's Statistics and Machine Learning Toolbox.
%
% By its documentation: each parameter is a number, or has the size of the result, which
% without a size is that of the parameters. Its NaN, where sigma < 0 or a > b, is refused.
least = first;
if strcmp(name, 'normrnd')
    least = 0;
end
if ~isa(first, 'double') || ~isa(second, 'double') || any(second(:) < least(:))
    error('matlab_random:usage', ...
        '%s: both must be double, sigma not below 0, b not below a', name);
end
dims = size(first + second);
if ~isempty(varargin)
    dims = size_of(name, varargin);
end
if strcmp(name, 'normrnd')
    x = randn(dims) .* second + first;
else
    middle = first / 2 + second / 2;
    x = middle + (second / 2 - first / 2) .* (2 * rand(dims) - 1);
end
end


function dims = size_of(name, sizes)
% The size (1 x k) that `sizes`, a cell, stands for: the last arguments of `name`.
%
% {}: 1 x 1; {n}: n x n; {m, n, ...} or {[m, n, ...]}: m x n x ..., as MATLAB has it.
% Stops with an error at words such as 'single' and 'like'.
if ~all(cellfun(@(n) isa(n, 'double'), sizes))
    error('matlab_random:size', '%s: only sizes n or m, n or [m, n] are known', name);
end
dims = [sizes{:}];
if isempty(sizes)
    dims = [1, 1];
elseif isscalar(dims)
    dims = [dims, dims];
end
end


function u = uniform(pairs)
% Uniform numbers (1 x n) in 0..1 of 53 bits, from pairs (2 x n) of 32-bit words.
u = (floor(pairs(1, :) / 2^5) * 2^26 + floor(pairs(2, :) / 2^6)) / 2^53;
end


function x = ziggurat(count)
% Standard normal numbers (1 x count), by the ziggurat of Marsaglia and Tsang (2000).
%
% A pair of words gives a strip, 1..256, and a place in it. Most places lie under the
% curve: that is the value. In strip 256 the others stand for the tail; elsewhere the
% next pair decides.
persistent edge  % of the strips (1 x 257): edge(k + 1) is strip k's right one
if isempty(edge)
    root = fileparts(fileparts(fileparts(mfilename('fullpath'))));
    edge = load([root, '/data/randn_edges.txt'])';
end
height = exp(-edge .* edge / 2);
r = edge(256);  % where the tail begins

pairs = stream('look', count + ceil(count / 16) + 128);
strip = floor(pairs(2, :) / 2^24) + 1;
place = (floor(pairs(1, :) / 2^3) * 2^24 + mod(pairs(2, :), 2^24)) / 2^52 - 1;
value = place .* edge(strip + 1);
u = uniform(pairs);
hard = [find(abs(value) > edge(strip)), Inf];  % the pairs that need a closer look
h = 1;
x = zeros(1, count);
filled = 0;
p = 1;  % the next pair
while filled < count
    while hard(h) < p
        h = h + 1;
    end
    k = min(hard(h) - p, count - filled);
    x(filled+1:filled+k) = value(p:p+k-1);
    filled = filled + k;
    p = p + k;
    if filled == count
        break
    end
    s = strip(p);
    y = value(p);
    if s < 256  % a height decides
        low = height(s + 1);
        accept = low + u(p + 1) * (height(s) - low) < exp(-y^2 / 2);
        p = p + 2;
    else
        accept = true;
        p = p + 1;
        a = 0;
        b = 0;
        while -2 * b <= a * a
            a = log(u(p)) * 0.273661237329758;
            b = log(u(p + 1));
            p = p + 2;
        end
        y = sign(y) * (r - a);
    end
    if accept
        filled = filled + 1;
        x(filled) = y;
    end
end
stream('take', p - 1);
end


function pairs = stream(action, n)
% The 32-bit words of the Mersenne Twister MT19937 in pairs, as doubles (2 x n).
%
% stream('seed', n) starts anew; stream('state', n) goes on from MATLAB's 625 words n;
% 'take' gives the next n pairs; 'look' gives them and leaves them in the stream.
persistent state ahead  % ahead: the words to come that are known already, 1 x k
pairs = [];
switch action
    case 'seed'
        if n == 0
            n = 5489;  % MATLAB: 0 stands for the generator's own default
        end
        state = zeros(624, 1, 'uint32');
        state(1) = n;
        for i = 2:624
            s = uint64(bitxor(state(i-1), bitshift(state(i-1), -30)));
            s = mod(s * uint64(1812433253), uint64(2^32));
            state(i) = mod(double(s) + i - 1, 2^32);
        end
        ahead = zeros(1, 0);
        return
    case 'state'  % 624 words, and how many of them were given out
        state = uint32(reshape(n(1:624), 624, 1));
        ahead = double(temper(state))';
        ahead(1:n(625)) = [];
        return
end
rounds = ceil(max(2 * n - numel(ahead), 0) / 624);
words = zeros(624, rounds, 'uint32');
for i = 1:rounds
    state = twist(state);
    words(:, i) = state;
end
ahead = [ahead, double(temper(words(:)))'];
pairs = reshape(ahead(1:2*n), 2, n);
if strcmp(action, 'take')
    ahead = ahead(2*n+1:end);
end
end


function words = temper(words)
% What the generator gives out for its words (uint32).
words = bitxor(words, bitshift(words, -11));
words = bitxor(words, bitand(bitshift(words, 7), uint32(2636928640)));
words = bitxor(words, bitand(bitshift(words, 15), uint32(4022730752)));
words = bitxor(words, bitshift(words, -18));
end


function state = twist(state)
% The next 624 words of the generator (uint32 column), before tempering.
mixed = mix(state(1:623), state(2:624));
state(1:227) = bitxor(state(398:624), mixed(1:227));
state(228:454) = bitxor(state(1:227), mixed(228:454));
state(455:623) = bitxor(state(228:396), mixed(455:623));
state(624) = bitxor(state(397), mix(state(624), state(1)));
end


function x = mix(high, low)
% The twist of the top bit of `high` with the other bits of `low`.
y = bitor(bitand(high, uint32(2^31)), bitand(low, uint32(2^31 - 1)));
x = bitxor(bitshift(y, -1), bitand(y, uint32(1)) * uint32(2567483615));
end
