-- Correcting entries: an invocation may have any number of them, counted from 1, each up or down and never nothing.
-- They are added like every other entry; what was written before is not touched.

ALTER TABLE usage_entries
    ADD COLUMN number integer NOT NULL DEFAULT 1 CHECK (number >= 1),
    ADD COLUMN price_list text,
    DROP CONSTRAINT usage_entries_kind_check,
    DROP CONSTRAINT usage_entries_amount_usd_check,
    DROP CONSTRAINT usage_entries_invocation_id_kind_key,
    ADD CONSTRAINT usage_entries_kind_check CHECK (kind IN ('reserve', 'settle', 'release', 'correct')),
    ADD CONSTRAINT usage_entries_amount_usd_check
        CHECK (CASE kind WHEN 'correct' THEN amount_usd <> 0 ELSE amount_usd >= 0 END),
    -- Only corrections are repeated: the rest still stands once for each invocation.
    ADD CONSTRAINT usage_entries_only_corrections_are_numbered CHECK (number = 1 OR kind = 'correct'),
    ADD CONSTRAINT usage_entries_corrections_name_their_prices CHECK ((price_list IS NOT NULL) = (kind = 'correct')),
    ADD CONSTRAINT usage_entries_invocation_id_kind_number_key UNIQUE (invocation_id, kind, number);
