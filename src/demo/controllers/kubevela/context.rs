//! The ConfigMap in which a workflow keeps what its steps tell each other, and since and until when they wait.

use serde_json::{Map, Value, json};

use crate::demo::controllers::api::{self, Cluster};
use crate::demo::controllers::object::{self, Object};

fn name(application: &Object) -> String {
    format!("workflow-{}-context", object::name(application))
}

/// A reference to an application's context, which is made where there is none.
pub(super) async fn reference(hub: &Cluster, application: &Object) -> kube::Result<Value> {
    let (space, name) = (object::namespace(application), name(application));
    let known = &application["status"]["workflow"]["contextBackend"];
    if known.is_object() {
        return Ok(known.clone());
    }
    // As observed: a context that was there already is referred to without its kind.
    let live = hub.get(&api::CONFIG_MAP, space, &name).await?;
    if let Some(live) = live {
        return Ok(json!({"name": name, "namespace": space, "uid": object::uid(&live)}));
    }
    let started = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S +0000 UTC");
    let mut owner = object::owner_reference(application);
    object::unset(&mut owner, &["blockOwnerDeletion"]);
    let made = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "annotations": {"vela.io/startTime": started.to_string()},
            "name": name,
            "namespace": space,
            "ownerReferences": [owner],
        },
        "data": {"vars": "\n"},
    });
    let live = hub.create(&api::CONFIG_MAP, &made).await?;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": name,
        "namespace": space,
        "uid": object::uid(&live),
    }))
}

/// What steps have handed on.
pub(super) async fn vars(hub: &Cluster, application: &Object) -> kube::Result<Map<String, Value>> {
    let context = hub.get(&api::CONFIG_MAP, object::namespace(application), &name(application)).await?;
    let text = context.as_ref().map_or("", |context| object::text(context, "/data/vars"));
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Map<String, Value>>(&format!("{{{line}}}")).ok());
    Ok(lines.flatten().collect())
}

/// What steps hand on, as the context keeps it: each in a line of CUE, of which JSON is a part.
pub(super) fn spell(vars: &Map<String, Value>) -> Value {
    let lines: Vec<String> = vars.iter().map(|(name, value)| format!("{}: {value}\n", json!(name))).collect();
    json!(if lines.is_empty() { "\n".to_owned() } else { lines.concat() })
}

/// Adds to a context: `new` in place of what it had, `since` where it had nothing.
pub(super) async fn note(
    hub: &Cluster,
    application: &Object,
    new: Map<String, Value>,
    since: Map<String, Value>,
) -> kube::Result<()> {
    if new.is_empty() && since.is_empty() {
        return Ok(());
    }
    let known = hub.get(&api::CONFIG_MAP, object::namespace(application), &name(application)).await?;
    let Some(mut context) = known else { return Ok(()) };
    let before = context["data"].clone();
    for (key, value) in since {
        if context["data"][&key].is_null() {
            context["data"][key] = value;
        }
    }
    for (key, value) in new {
        context["data"][key] = value;
    }
    if context["data"] != before {
        hub.replace(&api::CONFIG_MAP, &context).await?;
    }
    Ok(())
}
