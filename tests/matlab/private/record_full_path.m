function file = record_full_path(file, name)
% `file` from the root on; ~/ is the home folder. An error names the argument by `name`.
%
% Without regexp: a path may have bytes beyond ASCII that are not UTF-8.
if isa(file, 'string')
    file = char(file);
end
if ~ischar(file) || size(file, 1) ~= 1 || isempty(file)
    error('record_run:usage', '%s must be the name of a file', name);
end
if file(1) == '~' && (numel(file) == 1 || any(file(2) == '/\'))
    home = getenv('HOME');
    if isempty(home)
        home = getenv('USERPROFILE');
    end
    file = [home, file(2:end)];
end
drive = numel(file) > 1 && file(2) == ':' && any(file(1) == ['A':'Z', 'a':'z']);
if ~drive && ~any(file(1) == '/\')
    file = [pwd(), filesep(), file];
end
end
