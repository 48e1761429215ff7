function dims = random_size(name, sizes)
% The size (1 x k) that `sizes`, a cell, stands for: the last arguments of `name`.
%
% {}: 1 x 1; {n}: n x n; {m, n, ...} or {[m, n, ...]}: m x n x ..., as MATLAB has it for
% rand, randn, randi, normrnd and unifrnd. A negative number counts as 0. Stops with an
% error at words such as 'single' and 'like'.
if ~all(cellfun(@isnumeric, sizes))
    error('matlab_random:size', '%s: only sizes n or m, n or [m, n] are known', name);
end
sizes = cellfun(@double, sizes, 'UniformOutput', false);
dims = max([sizes{:}], 0);
if isempty(sizes)
    dims = [1, 1];
elseif isempty(dims)
    dims = [0, 0];
elseif isscalar(dims)
    dims = [dims, dims];
end
end
