-- When a creator named its PayPal account last: a reward that nobody claimed there is sent there again
-- only once the creator has looked at it.
ALTER TABLE creator ADD COLUMN paypal_receiver_name_time timestamptz;
UPDATE creator SET paypal_receiver_name_time = create_time WHERE paypal_receiver <> '';
