"""The columns of an export, in their order."""

COLUMNS = (
    "iccid", "label", "tags", "metadata", "device_id",
    "status", "desired_status", "lifecycle",
    "iccid_with_luhn", "imsi", "imsi_2", "current_imsi", "msisdn", "imei", "imei_lock", "ip_address",
    "data_quota_state", "sms_quota_state", "activated_at", "missing_since", "created_at", "updated_at",
)  # fmt: skip
