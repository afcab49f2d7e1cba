-- What 0001 says of sweep_time was not so: an address to write to quarantine is signed anew for who
-- asks again, up to the upload's expiry. From now on none is good for longer than the upload, and
-- quarantine is looked at once more an hour after it expired, whatever became of it. By then a
-- finalization that began before has ended, too.
UPDATE media_object SET sweep_time = expire_time + interval '1 hour' WHERE sweep_time IS NOT NULL;
