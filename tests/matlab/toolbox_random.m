function x = toolbox_random(name, first, second, varargin)
% TOOLBOX_RANDOM  normrnd and unifrnd from randn and rand, where the toolbox is missing.
%
%   x = toolbox_random('normrnd', mu, sigma)         as normrnd(mu, sigma)
%   x = toolbox_random('normrnd', mu, sigma, m, n)   as normrnd(mu, sigma, m, n)
%   x = toolbox_random('unifrnd', a, b, m, n)        as unifrnd(a, b, m, n)
%
% The same formulas as in MATLAB's Statistics and Machine Learning Toolbox, for the same
% numbers. Its forms, by its documentation: without a size, that of the parameters; n is
% n x n; m, n, ... or [m, n, ...] is m x n x ...; a negative number counts as 0. Each
% parameter is a number, or has the size of the result. Where sigma < 0 or a > b the
% result is NaN, and its random number is drawn all the same.
% Run under GNU Octave 7.3; plain enough for MATLAB, where it was not run.
if ~isa(first, 'double') || ~isa(second, 'double')
    error('matlab_random:usage', '%s: both parameters must be double', name);
end
if ~isempty(varargin)
    dims = random_size(name, varargin);
elseif isscalar(first)
    dims = size(second);
else
    dims = size(first);
end
if strcmp(name, 'normrnd')
    illegal = second < 0;
    x = randn(dims) .* second + first;
else
    illegal = first > second;
    middle = first / 2 + second / 2;
    x = middle + (second / 2 - first / 2) .* (2 * rand(dims) - 1);
end
x(illegal | false(size(x))) = NaN;
end
