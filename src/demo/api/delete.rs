//! Delete, one object or many, and evict.

use http::StatusCode;
use serde_json::{Value, json};

use super::body::{self, Answer};
use super::format::Format;
use super::write::Write;
use crate::demo::selector::Selector;
use crate::demo::status::Status;
use crate::demo::store::{self, Deletion};

impl Write<'_> {
    pub(crate) fn delete(&self) -> Result<Answer, Status> {
        let kind = self.target.kind;
        let (last, gone) = self.store.delete(kind, &self.target.key(), &self.deletion()?)?;
        // Pods and namespaces are answered as they were left, whatever becomes of them.
        if !gone || matches!(kind.name, "Pod" | "Namespace") {
            return Ok(body::json(StatusCode::OK, body::full(last.json(kind))));
        }
        let mut details =
            json!({ "name": self.target.name, "group": kind.group, "kind": kind.plural, "uid": last.uid });
        if let (true, Some(details)) = (kind.group.is_empty(), details.as_object_mut()) {
            details.shift_remove("group");
        }
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
        });
        Ok(body::value(StatusCode::OK, &status))
    }

    /// Deletes all that the selectors choose.
    pub(crate) fn delete_collection(&self) -> Result<Answer, Status> {
        let kind = self.target.kind;
        let selector = Selector::of(kind, self.query.get("labelSelector"), self.query.get("fieldSelector"))?;
        let how = self.deletion()?;
        let query = store::Query {
            kind,
            namespace: &self.target.namespace,
            selector: &selector,
            after: None,
            limit: 0,
            at: None,
        };
        let objects = self.store.list(&query).map(|page| page.objects).unwrap_or_default();
        for object in &objects {
            // Another may have been quicker; what is gone is gone.
            let _ = self.store.delete(kind, &object.key, &how);
        }
        let metadata = json!({ "resourceVersion": self.store.revision().to_string() });
        Ok(body::json(StatusCode::OK, Format::Object.list(kind, objects, &metadata)))
    }

    /// Evicts a pod: a deletion by another name.
    pub(crate) fn evict(&self) -> Result<Answer, Status> {
        let eviction = body::parse(self.headers, &self.body)?;
        let how = self.options(&eviction["deleteOptions"])?;
        self.store.delete(self.target.kind, &self.target.key(), &how)?;
        let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
        Ok(body::value(StatusCode::CREATED, &status))
    }

    fn deletion(&self) -> Result<Deletion, Status> {
        self.options(&if self.body.is_empty() { json!({}) } else { body::parse(self.headers, &self.body)? })
    }

    /// `DeleteOptions`; the query may say the same.
    fn options(&self, options: &Value) -> Result<Deletion, Status> {
        let policy = options["propagationPolicy"].as_str().unwrap_or_else(|| self.query.get("propagationPolicy"));
        let invalid =
            |reason, why: &str| Err(Status::invalid_options("DeleteOptions", reason, "propagationPolicy", why));
        if !matches!(policy, "" | "Background" | "Foreground" | "Orphan") {
            let why = format!(
                "Unsupported value: \"{policy}\": supported values: \"Background\", \"Foreground\", \"Orphan\", \"nil\""
            );
            return invalid("FieldValueNotSupported", &why);
        }
        let orphan = options["orphanDependents"].as_bool();
        if orphan.is_some() && !policy.is_empty() {
            let why =
                format!("Invalid value: \"{policy}\": orphanDependents and deletionPropagation cannot be both set");
            return invalid("FieldValueInvalid", &why);
        }
        let precondition = |key: &str| options["preconditions"][key].as_str().map(str::to_owned);
        let asked = options["dryRun"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut dry_run = false;
        for asked in asked.chain([self.query.get("dryRun")]) {
            dry_run |= super::write::is_dry("DeleteOptions", asked)?;
        }
        Ok(Deletion {
            foreground: policy == "Foreground",
            orphan: policy == "Orphan" || orphan == Some(true),
            grace: options["gracePeriodSeconds"].as_i64().or(self.query.number("gracePeriodSeconds")?),
            uid: precondition("uid"),
            revision: precondition("resourceVersion"),
            dry_run,
        })
    }
}
