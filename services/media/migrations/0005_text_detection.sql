-- Whether text was read in an accepted banner (R65); NULL where nobody looked, or it cannot be told.
ALTER TABLE media_object ADD COLUMN has_text boolean;
