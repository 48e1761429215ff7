function record_need_whole(x, low, high, name)
% Stop with an error that names `name` unless x is a whole number in low..high.
if ~(isnumeric(x) && isscalar(x) && isreal(x) && x >= low && x <= high && x == floor(x))
    error('record_run:usage', '%s must be a whole number in %d..%d', name, low, high);
end
end
