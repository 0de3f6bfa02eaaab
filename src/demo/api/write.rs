//! Create, update, patch, delete.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};

use super::body::{self, Answer};
use super::fields::{self, Writer};
use super::format::Format;
use super::path::Target;
use super::{defaults, patch, read};
use crate::demo::clock;
use crate::demo::kinds::Kind;
use crate::demo::query::Query;
use crate::demo::selector::Selector;
use crate::demo::status::Status;
use crate::demo::store::{self, Change, Deletion, Object, Store};

/// One writing request.
pub(crate) struct Write<'a> {
    pub(crate) store: &'a Store,
    pub(crate) target: &'a Target,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: &'a Query,
    pub(crate) body: Bytes,
}

impl Write<'_> {
    pub(crate) fn create(&self) -> Result<Answer, Status> {
        let (kind, format) = (self.target.kind, Format::negotiate(self.headers, self.query)?);
        let mut object = body::parse(self.headers, &self.body)?;
        self.check_kind(&object)?;
        let metadata = entry(&mut object, "metadata");
        if kind.namespaced {
            match metadata["namespace"].as_str() {
                None | Some("") => metadata["namespace"] = self.target.namespace.as_str().into(),
                Some(namespace) if namespace == self.target.namespace => {}
                Some(_) => {
                    return Err(Status::bad_request(
                        "the namespace of the provided object does not match the namespace sent on the request",
                    ));
                }
            }
        } else if let Some(fields) = metadata.as_object_mut() {
            fields.shift_remove("namespace");
        }
        let name = metadata["name"].as_str().unwrap_or_default().to_owned();
        let prefix = metadata["generateName"].as_str().unwrap_or_default();
        if name.is_empty() && prefix.is_empty() {
            let why = "Required value: name or generateName is required";
            return Err(Status::invalid(kind, "", "FieldValueRequired", "metadata.name", why));
        }
        check_name(kind, if name.is_empty() { prefix.trim_end_matches(['-', '.']) } else { &name })?;
        if metadata["resourceVersion"].as_str().is_some_and(|revision| !revision.is_empty()) {
            return Err(Status::bad_request("resourceVersion should not be set on objects to be created"));
        }
        if let Some(fields) = metadata.as_object_mut() {
            for field in
                ["uid", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields"]
            {
                fields.shift_remove(field);
            }
            if kind.generation {
                fields.insert("generation".to_owned(), 1.into());
            }
            fields.insert("creationTimestamp".to_owned(), clock::now().into());
        }
        if let (true, Some(fields)) = (kind.status, object.as_object_mut()) {
            fields.shift_remove("status");
        }
        let now = clock::now();
        object["metadata"]["managedFields"] = fields::record(&Value::Null, &object, &self.writer(&now));
        defaults::complete(kind, &mut object);
        tidy(&mut object);
        let created = self.store.create(kind, object, self.dry_run()?)?;
        Ok(body::json(StatusCode::CREATED, body::full(format.one(kind, &created))))
    }

    pub(crate) fn update(&self) -> Result<Answer, Status> {
        let format = Format::negotiate(self.headers, self.query)?;
        let object = body::parse(self.headers, &self.body)?;
        if self.target.subresource == "scale" {
            return self.scale(|scale| {
                *scale = object;
                Ok(())
            });
        }
        self.check_kind(&object)?;
        let key = self.target.key();
        let changed = self.store.change(self.target.kind, &key, self.dry_run()?, |current, old| {
            let revision = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
            if self.target.kind.custom && revision.is_empty() {
                let why = "Invalid value: 0x0: must be specified for an update";
                return Err(Status::invalid(
                    self.target.kind,
                    &key.name,
                    "FieldValueInvalid",
                    "metadata.resourceVersion",
                    why,
                ));
            }
            self.decide(current, &old, object)
        })?;
        Ok(body::json(StatusCode::OK, body::full(format.one(self.target.kind, &changed))))
    }

    pub(crate) fn patch(&self) -> Result<Answer, Status> {
        let kind = self.target.kind;
        let format = Format::negotiate(self.headers, self.query)?;
        let content_type = body::content_type(self.headers);
        let apply: fn(&mut Value, &Value) -> Result<(), Status> = match content_type {
            "application/merge-patch+json" => |target, change| {
                patch::merge(target, change);
                Ok(())
            },
            "application/json-patch+json" => {
                |target, change| patch::json_patch(target, change).map_err(|why| Status::bad_patch(&why))
            }
            "application/strategic-merge-patch+json" if !kind.custom => |target, change| {
                patch::strategic(target, change);
                Ok(())
            },
            _ if kind.custom => {
                return Err(Status::unsupported_media_type(
                    "application/json-patch+json, application/merge-patch+json",
                ));
            }
            _ => {
                const ACCEPTED: &str =
                    "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json";
                return Err(Status::unsupported_media_type(ACCEPTED));
            }
        };
        let change: Value = serde_json::from_slice(&self.body)
            .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
        if !change.is_object() && content_type != "application/json-patch+json" {
            return Err(Status::bad_request("error decoding patch: the patch is not a JSON object"));
        }
        if self.target.subresource == "scale" {
            return self.scale(|scale| apply(scale, &change));
        }
        let key = self.target.key();
        let changed = self.store.change(kind, &key, self.dry_run()?, |current, old| {
            let mut new = old.clone();
            apply(&mut new, &change)?;
            self.decide(current, &old, new)
        })?;
        Ok(body::json(StatusCode::OK, body::full(format.one(kind, &changed))))
    }

    pub(crate) fn delete(&self) -> Result<Answer, Status> {
        let kind = self.target.kind;
        let (last, gone) = self.store.delete(kind, &self.target.key(), &self.deletion()?)?;
        let answer = if gone && !matches!(kind.name, "Pod" | "Namespace") {
            let mut details =
                json!({ "name": self.target.name, "group": kind.group, "kind": kind.plural, "uid": last.uid });
            if let (true, Some(details)) = (kind.group.is_empty(), details.as_object_mut()) {
                details.shift_remove("group");
            }
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
            });
            body::value(StatusCode::OK, &status)
        } else {
            body::json(StatusCode::OK, body::full(last.json(kind)))
        };
        Ok(answer)
    }

    /// Deletes all that the selectors choose.
    pub(crate) fn delete_collection(&self) -> Result<Answer, Status> {
        let kind = self.target.kind;
        let selector = Selector::parse(self.query.get("labelSelector"), self.query.get("fieldSelector"))?;
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
        self.store.delete(self.target.kind, &self.target.key(), &Deletion::default())?;
        let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
        Ok(body::value(StatusCode::CREATED, &status))
    }

    fn scale(&self, change: impl FnOnce(&mut Value) -> Result<(), Status>) -> Result<Answer, Status> {
        let mut scale = read::scale(self.store, self.target)?;
        change(&mut scale)?;
        let replicas = scale.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
        if replicas < 0 {
            let why = format!("Invalid value: {replicas}: must be greater than or equal to 0");
            return Err(Status::invalid(
                self.target.kind,
                &self.target.name,
                "FieldValueInvalid",
                "spec.replicas",
                &why,
            ));
        }
        let revision = scale["metadata"]["resourceVersion"].clone();
        self.store.change(self.target.kind, &self.target.key(), self.dry_run()?, |current, old| {
            let mut new = old.clone();
            new["spec"]["replicas"] = replicas.into();
            new["metadata"]["resourceVersion"] = revision;
            self.decide(current, &old, new)
        })?;
        Ok(body::value(StatusCode::OK, &read::scale(self.store, self.target)?))
    }

    /// What becomes of `old` when `new` is asked for: each part only through its own door, and nothing if nothing
    /// differs.
    fn decide(&self, current: &Object, old: &Value, mut new: Value) -> Result<Change, Status> {
        let kind = self.target.kind;
        let name = &*current.key.name;
        let asked = &new["metadata"];
        if asked["resourceVersion"]
            .as_str()
            .is_some_and(|asked| !asked.is_empty() && asked != current.revision.to_string())
        {
            return Err(Status::modified(kind, name));
        }
        if let Some(uid) = asked["uid"].as_str().filter(|uid| !uid.is_empty() && *uid != &*current.uid) {
            let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", current.uid);
            return Err(Status::conflict(kind, name, &why));
        }
        if let Some(other) = asked["name"].as_str().filter(|asked| *asked != name) {
            let message = format!("the name of the object ({other}) does not match the name on the URL ({name})");
            return Err(Status::bad_request(message));
        }
        if self.target.subresource == "status" {
            let status = new["status"].take();
            new = old.clone();
            put_or_remove(&mut new, "status", status);
        } else {
            if kind.status {
                put_or_remove(&mut new, "status", old["status"].clone());
            }
            let metadata = entry(&mut new, "metadata");
            for field in [
                "name",
                "namespace",
                "uid",
                "generateName",
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "generation",
                "managedFields",
            ] {
                put_or_remove(metadata, field, old["metadata"][field].clone());
            }
        }
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
        new["kind"] = old["kind"].clone();
        new["apiVersion"] = old["apiVersion"].clone();
        tidy(&mut new);
        if new == *old {
            return Ok(Change::Unchanged);
        }
        if kind.generation && self.target.subresource != "status" && desired(&new) != desired(old) {
            new["metadata"]["generation"] = (old["metadata"]["generation"].as_i64().unwrap_or(0) + 1).into();
        }
        let now = clock::now();
        let managed = fields::record(old, &new, &self.writer(&now));
        put_or_remove(entry(&mut new, "metadata"), "managedFields", managed);
        Ok(Change::Put(new))
    }

    fn check_kind(&self, object: &Value) -> Result<(), Status> {
        let kind = self.target.kind;
        let (api_version, name) = (object["apiVersion"].as_str(), object["kind"].as_str());
        match (name, api_version) {
            // kube sends built-in kinds without them where they are decided by the path.
            (None, _) if !kind.custom => Ok(()),
            (None, _) => Err(Status::bad_request("Object 'Kind' is missing in the object provided")),
            (Some(name), Some(api_version)) if name == kind.name && api_version == kind.api_version() => Ok(()),
            (Some(name), api_version) => Err(Status::bad_request(format!(
                "the API version in the data ({}, Kind={name}) does not match the expected API version ({}, Kind={})",
                api_version.unwrap_or_default(),
                kind.api_version(),
                kind.name
            ))),
        }
    }

    fn deletion(&self) -> Result<Deletion, Status> {
        let options = if self.body.is_empty() { json!({}) } else { body::parse(self.headers, &self.body)? };
        let text = |key: &str| options[key].as_str().unwrap_or_else(|| self.query.get(key)).to_owned();
        let policy = text("propagationPolicy");
        if !matches!(policy.as_str(), "" | "Background" | "Foreground" | "Orphan") {
            return Err(Status::bad_request(format!("invalid propagationPolicy \"{policy}\"")));
        }
        let precondition = |key: &str| options["preconditions"][key].as_str().map(str::to_owned);
        Ok(Deletion {
            foreground: policy == "Foreground",
            orphan: policy == "Orphan" || options["orphanDependents"] == true,
            grace: options["gracePeriodSeconds"].as_i64().or(self.query.number("gracePeriodSeconds")?),
            uid: precondition("uid"),
            revision: precondition("resourceVersion"),
            dry_run: self.dry_run()? || options["dryRun"].as_array().is_some_and(|all| !all.is_empty()),
        })
    }

    fn dry_run(&self) -> Result<bool, Status> {
        match self.query.get("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => Err(Status::bad_request(format!("invalid dryRun \"{other}\": only All is supported"))),
        }
    }

    fn writer<'a>(&'a self, now: &'a str) -> Writer<'a> {
        let agent = self.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("unknown");
        let manager = match self.query.get("fieldManager") {
            "" => agent.split('/').next().unwrap_or(agent),
            manager => manager,
        };
        Writer { manager, kind: self.target.kind, subresource: &self.target.subresource, time: now }
    }
}

/// Completes an object that an estate starts with, as if someone had applied it and, where it has a status, a controller
/// had seen it since.
pub(crate) fn complete(kind: &'static Kind, mut object: Value) -> Value {
    let now = clock::now();
    let status = object.as_object_mut().and_then(|fields| fields.shift_remove("status"));
    let metadata = entry(&mut object, "metadata");
    if metadata["creationTimestamp"].is_null() {
        metadata["creationTimestamp"] = now.as_str().into();
    }
    let time = metadata["creationTimestamp"].as_str().unwrap_or(&now).to_owned();
    if kind.generation && metadata["generation"].is_null() {
        metadata["generation"] = 1.into();
    }
    let written = !metadata["managedFields"].is_null();
    tidy(&mut object);
    if !written {
        let writer = Writer { manager: "kubectl-client-side-apply", kind, subresource: "", time: &time };
        object["metadata"]["managedFields"] = fields::record(&Value::Null, &object, &writer);
    }
    defaults::complete(kind, &mut object);
    if let Some(status) = status {
        let old = object.clone();
        object["status"] = status;
        if !written && kind.custom {
            let writer = Writer { manager: "kubevela", kind, subresource: "status", time: &time };
            object["metadata"]["managedFields"] = fields::record(&old, &object, &writer);
        }
    }
    object
}

/// What makes a new generation: all but metadata and status.
fn desired(object: &Value) -> Map<String, Value> {
    let mut desired = object.as_object().cloned().unwrap_or_default();
    desired.shift_remove("metadata");
    desired.shift_remove("status");
    desired
}

fn entry<'a>(object: &'a mut Value, field: &str) -> &'a mut Value {
    if !object[field].is_object() {
        object[field] = json!({});
    }
    &mut object[field]
}

fn put_or_remove(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        if value.is_null() {
            fields.shift_remove(field);
        } else {
            fields.insert(field.to_owned(), value);
        }
    }
}

/// Reading a missing field through an index leaves null behind; a server never answers those in metadata.
fn tidy(object: &mut Value) {
    let empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, value| {
            !(value.is_null() || (empty(value) && matches!(key.as_str(), "finalizers" | "ownerReferences")))
        });
    }
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
}

/// A name must be a DNS subdomain.
fn check_name(kind: &Kind, name: &str) -> Result<(), Status> {
    let label = |label: &str| {
        let edge = |char: Option<char>| char.is_some_and(|char| char.is_ascii_lowercase() || char.is_ascii_digit());
        edge(label.chars().next())
            && edge(label.chars().last())
            && label.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
    };
    // Access rules name what they like.
    if kind.group == "rbac.authorization.k8s.io" || (name.len() <= 253 && name.split('.').all(label)) {
        return Ok(());
    }
    let why = format!(
        "Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' \
         or '.', and must start and end with an alphanumeric character"
    );
    Err(Status::invalid(kind, name, "FieldValueInvalid", "metadata.name", &why))
}
