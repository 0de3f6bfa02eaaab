//! What an application's status sums up: its phase by health, and its conditions.

use serde_json::{Value, json};

use crate::demo::controllers::object;

/// The phase of an application whose workflow has succeeded.
pub(super) fn by_health(status: &Value) -> &'static str {
    let well =
        |row: &Value| row["healthy"] == true && object::list(row, "/traits").iter().all(|one| one["healthy"] == true);
    if object::list(status, "/services").iter().all(well) { "running" } else { "unhealthy" }
}

/// Puts a condition; its time moves only when its status does.
pub(super) fn put_condition(status: &mut Value, kind: &str, truth: &str, reason: &str, message: &str) {
    let mut all = object::list(status, "/conditions").to_vec();
    let mut new = json!({
        "lastTransitionTime": object::now(),
        "reason": reason,
        "status": truth,
        "type": kind,
    });
    if !message.is_empty() {
        new["message"] = json!(message);
    }
    object::put_condition(&mut all, new);
    object::set(status, &["conditions"], Value::Array(all));
}

/// Says of each type that it is as it should be.
pub(super) fn available(status: &mut Value, kinds: &[&str]) {
    for kind in kinds {
        put_condition(status, kind, "True", "Available", "");
    }
}

/// Takes conditions away.
pub(super) fn drop_conditions(status: &mut Value, kinds: &[&str]) {
    let left: Vec<Value> = object::list(status, "/conditions")
        .iter()
        .filter(|one| !kinds.contains(&object::text(one, "/type")))
        .cloned()
        .collect();
    object::set(status, &["conditions"], Value::Array(left));
}
