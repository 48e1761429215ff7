function file = record_full_path(file, name)
% `file` from the root on; ~/ is the home folder. An error names the argument by `name`.
if isa(file, 'string')
    file = char(file);
end
if ~ischar(file) || size(file, 1) ~= 1
    error('record_run:usage', '%s must be the name of a file', name);
end
if ~isempty(regexp(file, '^~([/\\]|$)', 'once'))
    home = getenv('HOME');
    if isempty(home)
        home = getenv('USERPROFILE');
    end
    file = [home, file(2:end)];
end
if isempty(regexp(file, '^([A-Za-z]:|[/\\])', 'once'))
    file = fullfile(pwd(), file);
end
end
