-- All state of the sandbox. Times are seconds since 1970; amounts are decimal text.
CREATE TABLE IF NOT EXISTS batch (
  batch_id         TEXT PRIMARY KEY,
  sender_batch_id  TEXT,
  -- Cleared when the batch is denied or 30 days old: from then on the id may be used again.
  guards_sender_id INTEGER NOT NULL DEFAULT 1,
  status           TEXT NOT NULL,
  currency         TEXT NOT NULL,
  header           TEXT NOT NULL,
  created_at       REAL NOT NULL,
  completed_at     REAL
);
CREATE UNIQUE INDEX IF NOT EXISTS batch_sender_id ON batch (sender_batch_id) WHERE guards_sender_id;
CREATE INDEX IF NOT EXISTS batch_created ON batch (created_at);

CREATE TABLE IF NOT EXISTS item (
  item_id        TEXT PRIMARY KEY,
  batch_id       TEXT NOT NULL REFERENCES batch,
  position       INTEGER NOT NULL,
  status         TEXT NOT NULL,
  behaviour      TEXT NOT NULL,
  amount         TEXT NOT NULL,
  fee            TEXT NOT NULL,
  detail         TEXT NOT NULL,
  transaction_id TEXT,
  processed_at   REAL,
  error_name     TEXT,
  error_message  TEXT
);
CREATE INDEX IF NOT EXISTS item_batch ON item (batch_id, position);
CREATE INDEX IF NOT EXISTS item_status ON item (batch_id, status);

-- Scheduled changes; a change of the batch itself has no item.
CREATE TABLE IF NOT EXISTS change (
  change_id     INTEGER PRIMARY KEY,
  due_at        REAL NOT NULL,
  batch_id      TEXT NOT NULL REFERENCES batch,
  item_id       TEXT REFERENCES item,
  status        TEXT NOT NULL,
  error_name    TEXT,
  error_message TEXT
);
CREATE INDEX IF NOT EXISTS change_due ON change (due_at, change_id);
CREATE INDEX IF NOT EXISTS change_batch ON change (batch_id, item_id);

-- Webhook events. A pending event has a next_attempt_at; a failed one has neither that nor delivered_at.
CREATE TABLE IF NOT EXISTS event (
  event_id        TEXT PRIMARY KEY,
  batch_id        TEXT NOT NULL REFERENCES batch,
  event_type      TEXT NOT NULL,
  body            TEXT NOT NULL,
  created_at      REAL NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at REAL,
  delivered_at    REAL,
  last_result     TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS event_waiting ON event (next_attempt_at) WHERE next_attempt_at NOT NULL;
CREATE INDEX IF NOT EXISTS event_batch ON event (batch_id, created_at);

CREATE TABLE IF NOT EXISTS behaviour (
  receiver      TEXT PRIMARY KEY,
  behaviour     TEXT NOT NULL,
  delay_seconds REAL
);

-- Tokens survive a restart, as PayPal's do; only their hashes are stored.
CREATE TABLE IF NOT EXISTS token (
  token_hash TEXT PRIMARY KEY,
  expires_at REAL NOT NULL
);

-- The transaction reports' lines. Amounts and fees are negative where money left the account.
-- A fee of NULL means no fee.
CREATE TABLE IF NOT EXISTS movement (
  transaction_id TEXT PRIMARY KEY,
  batch_id       TEXT REFERENCES batch,
  event_code     TEXT NOT NULL,
  status         TEXT NOT NULL,
  reference_id   TEXT,
  currency       TEXT NOT NULL,
  amount         TEXT NOT NULL,
  fee            TEXT,
  custom_field   TEXT,
  initiated_at   REAL NOT NULL,
  updated_at     REAL NOT NULL,
  -- Cleared by the admin call that hides a line.
  is_reported    INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS movement_initiated ON movement (initiated_at, transaction_id);
CREATE INDEX IF NOT EXISTS movement_batch ON movement (batch_id);

-- At most one row, written by the admin call.
CREATE TABLE IF NOT EXISTS conditions (
  is_only               INTEGER PRIMARY KEY CHECK (is_only = 1),
  reporting_lag_seconds REAL NOT NULL,
  report_line_limit     INTEGER NOT NULL,
  posts_a_minute        INTEGER
);
