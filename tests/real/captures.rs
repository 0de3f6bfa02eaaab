//! Applications as a real KubeVela wrote them (`tests/fixtures/captures`), put into a real API server with their status.

use std::fs;

use kube::Client;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::servers::{applications, apply_namespace, project};

/// One captured Application. Most are the same `default/helm-hello` at different moments.
pub(crate) struct Capture {
    /// The file's name without `app-` and its ending, in lower case: a name for a namespace of its own.
    pub(crate) moment: String,
    pub(crate) object: Value,
}

/// Every captured Application.
pub(crate) fn captures() -> Vec<Capture> {
    let folder = project().join("tests/fixtures/captures");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().to_lowercase();
        if let Some(moment) = stem.strip_prefix("app-") {
            // JSON is YAML, too.
            let object = serde_yaml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            found.push(Capture { moment: moment.to_owned(), object });
        }
    }
    assert!(!found.is_empty(), "no captures in {}", folder.display());
    found
}

/// The capture of that moment.
pub(crate) fn capture(moment: &str) -> Capture {
    captures().into_iter().find(|capture| capture.moment == moment).unwrap()
}

impl Capture {
    /// The application's name.
    pub(crate) fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap()
    }

    /// Puts the application into the namespace, which is made where it is missing, as KubeVela left it: with its generation, its status, and being deleted
    /// where it was. Times that the server sets, uid and resourceVersion are the server's.
    pub(crate) async fn load(&self, client: &Client, namespace: &str) -> DynamicObject {
        apply_namespace(client, namespace).await;
        let api = applications(client, namespace);
        let name = self.name();
        let metadata = &self.object["metadata"];
        let deleting = metadata.get("deletionTimestamp").is_some();

        // A server counts generations itself: one for the creation, one for every change of the spec, one for the
        // deletion.
        let generation = metadata["generation"].as_i64().unwrap() - i64::from(deleting);
        let mut spec = self.object["spec"].clone();
        if generation > 1 {
            spec["edits"] = json!(1);
        }
        let created = json!({
            "apiVersion": self.object["apiVersion"],
            "kind": self.object["kind"],
            "metadata": {
                "name": name,
                "annotations": metadata["annotations"],
                "labels": metadata["labels"],
                "finalizers": metadata["finalizers"],
            },
            "spec": spec,
        });
        let created: DynamicObject = serde_json::from_value(created).unwrap();
        api.create(&PostParams::default(), &created).await.unwrap();
        for edit in 2..=generation {
            let edits = if edit == generation { Value::Null } else { json!(edit) };
            let patch = Patch::Merge(json!({"spec": {"edits": edits}}));
            api.patch(name, &PatchParams::default(), &patch).await.unwrap();
        }

        let status = Patch::Merge(json!({"status": self.object["status"]}));
        api.patch_status(name, &PatchParams::default(), &status).await.unwrap();
        if deleting {
            api.delete(name, &DeleteParams::default()).await.unwrap();
        }
        api.get(name).await.unwrap()
    }
}
