function text = record_ascii(text)
% The text with '?' for each byte beyond ASCII: fit for regexp, strtrim and messages.
text(double(text) > 126) = '?';
end
