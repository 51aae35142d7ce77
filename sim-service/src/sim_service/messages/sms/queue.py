"""Which messages the worker takes next: organisations in turn, of each the longest waiting first."""

from sqlalchemy import text

from fleet_kit.rows_in_turn import RowsInTurn

UNSENT_ROWS = text("look_at IS NOT NULL AND direction = 'mt' AND state IN ('scheduled', 'pending')")
UNDER_WAY_ROWS = text("look_at IS NOT NULL AND direction = 'mt' AND state IN ('sent', 'unknown')")

TO_SEND, TO_FOLLOW = (
    RowsInTurn("sms_messages", rows, since="look_at") for rows in (UNSENT_ROWS, UNDER_WAY_ROWS)
)
