-- A limit that a command has set keeps what the configuration says of it, for the day when the command is undone.
-- configured: JSON such as {"slots": 4, "rates": null}; null: the configuration does not name it.
ALTER TABLE qflow.limit_key ADD COLUMN configured {text}
;
ALTER TABLE qflow.limit_key ADD COLUMN set_by {text}
;
ALTER TABLE qflow.limit_key ADD COLUMN note {text}
;
-- A pause by a person. paused_at: it lasts until it is resumed; null while resumes_at is an end that is known.
ALTER TABLE qflow.limit_key ADD COLUMN paused_at {instant}
;
ALTER TABLE qflow.limit_key ADD COLUMN paused_by {text}
