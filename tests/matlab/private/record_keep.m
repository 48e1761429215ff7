function x = record_keep(action, varargin)
% What a run leaves, kept between calls. The script's copy calls it RECORD_RUN.
%
% record_keep('start', start)
%     begins anew; start as record_execute has it
% record_keep('step', c_loss, d_loss, images_fake, generator, discriminator)
%     after each step
% record_keep('print', format, ...)
%     prints, as fprintf does, and keeps what was printed
% nn = record_keep('generator'), nn = record_keep('discriminator')
%     the start's network
% kept = record_keep('all')
%     a struct with c_loss, d_loss (n x 1), images_fake, generator, discriminator,
%     printed (lines with char(10) between them) and start
persistent kept
switch action
    case 'start'
        kept = struct('c_loss', zeros(0, 1), 'd_loss', zeros(0, 1), 'printed', '');
        kept.start = varargin{1};
    case 'step'
        kept.c_loss(end+1, 1) = varargin{1};
        kept.d_loss(end+1, 1) = varargin{2};
        kept.images_fake = varargin{3};
        kept.generator = varargin{4};
        kept.discriminator = varargin{5};
    case 'print'
        if isnumeric(varargin{1}) && varargin{1} > 2  % into a file
            fprintf(varargin{:});
            return
        end
        if isnumeric(varargin{1})
            varargin = varargin(2:end);
        end
        new = sprintf(varargin{:});
        fprintf('%s', new);
        kept.printed = [kept.printed, new];
    case {'generator', 'discriminator'}
        x = kept.start.(action);
    case 'all'
        x = kept;
        if ~isempty(x.printed) && x.printed(end) == char(10)
            x.printed(end) = [];
        end
end
end
