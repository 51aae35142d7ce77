"""The SQL of pushed records. Sets are written in the order of their keys, so that no two writers wait in a
circle; nothing but what the first step really inserted reaches the sums. A record that comes late belongs to
whoever gave the SIM back after it, else to its owner of today. Owners are looked up one by one:
a join would read all SIMs for each post, for nothing is known of the temporary table when it is planned.
"""

from sqlalchemy import ARRAY, String, Text, Uuid, bindparam, text

INCOMING = text("""
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming_records (
        id text, iccid text, at timestamptz,
        data_mo_bytes bigint, data_mt_bytes bigint, sms_mo integer, sms_mt integer
    ) ON COMMIT DELETE ROWS
""")

_NEW = """
    WITH fresh AS (
        INSERT INTO stream_records
            (month, id, organization_id, iccid, hour, data_mo_bytes, data_mt_bytes, sms_mo, sms_mt)
        SELECT date_trunc('month', at AT TIME ZONE 'UTC')::date, id,
            coalesce(
                (SELECT organization_id FROM sim_releases AS release
                    WHERE release.iccid = incoming.iccid AND released_at >= at
                    ORDER BY released_at LIMIT 1),
                (SELECT organization_id FROM sims WHERE sims.iccid = incoming.iccid)
            ), iccid,
            date_trunc('hour', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC',
            data_mo_bytes, data_mt_bytes, sms_mo, sms_mt
        FROM incoming_records AS incoming
        ORDER BY 1, 2
        ON CONFLICT DO NOTHING
        RETURNING organization_id, iccid, hour, data_mo_bytes, data_mt_bytes, sms_mo, sms_mt
    )"""

_ADOPTED = """
    WITH fresh AS (
        UPDATE stream_records AS record SET organization_id = sims.organization_id
        FROM sims
        WHERE sims.iccid = record.iccid AND sims.organization_id IS NOT NULL
            AND record.organization_id IS NULL $which
        RETURNING record.organization_id, record.iccid, record.hour,
            data_mo_bytes, data_mt_bytes, sms_mo, sms_mt
    )"""

_SUMS = """,
    owned AS (
        SELECT organization_id, iccid, hour, (hour AT TIME ZONE 'UTC')::date AS day,
            sum(data_mo_bytes)::bigint AS mo, sum(data_mt_bytes)::bigint AS mt,
            sum(sms_mo)::integer AS sms_mo, sum(sms_mt)::integer AS sms_mt
        FROM fresh WHERE organization_id IS NOT NULL
        GROUP BY organization_id, iccid, hour
    ),
    hours AS (
        INSERT INTO sim_usage_hours AS kept
        SELECT organization_id, iccid, hour, mo, mt, sms_mo, sms_mt FROM owned ORDER BY 1, 2, 3
        ON CONFLICT (organization_id, iccid, hour) DO UPDATE SET
            data_mo_bytes = kept.data_mo_bytes + excluded.data_mo_bytes,
            data_mt_bytes = kept.data_mt_bytes + excluded.data_mt_bytes,
            sms_mo = kept.sms_mo + excluded.sms_mo,
            sms_mt = kept.sms_mt + excluded.sms_mt
    ),
    days AS (
        INSERT INTO sim_usage AS kept (
            organization_id, iccid, day, data_mo_bytes, data_mt_bytes, sms_mo, sms_mt, recorded_at,
            streamed_data_mo_bytes, streamed_data_mt_bytes, streamed_sms_mo, streamed_sms_mt, tell_at
        )
        SELECT organization_id, iccid, day, sum(mo), sum(mt), sum(sms_mo), sum(sms_mt), now(),
            sum(mo), sum(mt), sum(sms_mo), sum(sms_mt), now() + make_interval(secs => :tell)
        FROM owned GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (organization_id, iccid, day) DO UPDATE SET
            data_mo_bytes = CASE WHEN $settled THEN kept.data_mo_bytes ELSE greatest(
                kept.data_mo_bytes, kept.streamed_data_mo_bytes + excluded.streamed_data_mo_bytes) END,
            data_mt_bytes = CASE WHEN $settled THEN kept.data_mt_bytes ELSE greatest(
                kept.data_mt_bytes, kept.streamed_data_mt_bytes + excluded.streamed_data_mt_bytes) END,
            sms_mo = CASE WHEN $settled THEN kept.sms_mo ELSE greatest(
                kept.sms_mo, kept.streamed_sms_mo + excluded.streamed_sms_mo) END,
            sms_mt = CASE WHEN $settled THEN kept.sms_mt ELSE greatest(
                kept.sms_mt, kept.streamed_sms_mt + excluded.streamed_sms_mt) END,
            streamed_data_mo_bytes = kept.streamed_data_mo_bytes + excluded.streamed_data_mo_bytes,
            streamed_data_mt_bytes = kept.streamed_data_mt_bytes + excluded.streamed_data_mt_bytes,
            streamed_sms_mo = kept.streamed_sms_mo + excluded.streamed_sms_mo,
            streamed_sms_mt = kept.streamed_sms_mt + excluded.streamed_sms_mt,
            recorded_at = excluded.recorded_at,
            tell_at = CASE WHEN $settled THEN kept.tell_at ELSE coalesce(kept.tell_at, excluded.tell_at) END
    )
    SELECT count(*) AS stored, count(*) FILTER (WHERE organization_id IS NULL) AS unclaimed FROM fresh
""".replace("$settled", "kept.carrier_at >= (kept.day + 1)::timestamp AT TIME ZONE 'UTC'")

STORE = text(_NEW + _SUMS)
ADOPT = text(_ADOPTED.replace("$which", "") + _SUMS)
ADOPT_SOME = text(_ADOPTED.replace("$which", "AND record.iccid = ANY(:iccids)") + _SUMS).bindparams(
    bindparam("iccids", type_=ARRAY(String))
)

REJECT = text("""
    INSERT INTO stream_rejected (id, organization_id, iccid, field, reason, record, created_at)
    SELECT one.id, sims.organization_id, one.iccid, one.field, one.reason, one.record, now()
    FROM unnest(:ids, :iccids, :fields, :reasons, :records) AS one (id, iccid, field, reason, record)
        LEFT JOIN sims ON sims.iccid = one.iccid
    ORDER BY one.id
    ON CONFLICT DO NOTHING
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)),
    bindparam("iccids", type_=ARRAY(String)),
    bindparam("fields", type_=ARRAY(String)),
    bindparam("reasons", type_=ARRAY(Text)),
    bindparam("records", type_=ARRAY(Text)),
)
