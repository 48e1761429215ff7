function dims = random_size(name, sizes)
% The size (1 x k) that `sizes`, a cell, stands for: the last arguments of `name`.
%
% {}: 1 x 1; {n}: n x n; {m, n, ...} or {[m, n, ...]}: m x n x ..., as MATLAB has it for
% rand, randn, randi, normrnd and unifrnd. A negative number counts as 0. Stops with an
% error if sizes is anything else.
dims = [1, 1];
known = all(cellfun(@(x) isnumeric(x) && isreal(x), sizes));
if known && numel(sizes) == 1
    dims = double(sizes{1});
    if isscalar(dims)
        dims = [dims, dims];
    elseif isempty(dims)
        dims = [0, 0];
    end
elseif known && numel(sizes) > 1
    known = all(cellfun(@isscalar, sizes));
    if known
        dims = cellfun(@double, sizes);
    end
end
if ~known || size(dims, 1) ~= 1 || any(dims ~= floor(dims)) || any(isinf(dims))
    error('matlab_random:size', ['%s: a size must be whole numbers, as in n or ', ...
        'm, n or [m, n]; nothing else is known here'], name);
end
dims = max(dims, 0);
end
