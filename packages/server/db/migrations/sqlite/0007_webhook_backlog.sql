-- The oldest webhook that is not delivered, and how many there are, without a look at those that are; and those of an account in one
-- state, however many it has in another.
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (number) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (account_id, state, number);
