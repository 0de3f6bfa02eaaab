//! What is written: create, and the rules for every change.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};

use super::body::{self, Answer};
use super::fields::{self, Writer};
use super::format::Format;
use super::path::Target;
use super::{defaults, validate};
use crate::demo::clock;
use crate::demo::kinds::Kind;
use crate::demo::query::Query;
use crate::demo::status::Status;
use crate::demo::store::{Change, Object, Store};

/// One writing request.
pub(crate) struct Write<'a> {
    pub(crate) store: &'a Store,
    pub(crate) target: &'a Target,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: &'a Query,
    pub(crate) body: Bytes,
    /// What the request's options are called, such as `CreateOptions`.
    pub(crate) options: &'static str,
}

impl Write<'_> {
    pub(crate) fn create(&self) -> Result<Answer, Status> {
        let object = body::parse(self.headers, &self.body)?;
        self.check_kind(&object)?;
        self.add(object, None)
    }

    /// Adds an object. `managed` says who owns what of it, if that is known already.
    pub(super) fn add(&self, mut object: Value, managed: Option<Value>) -> Result<Answer, Status> {
        let (kind, format) = (self.target.kind, Format::negotiate(self.headers, self.query)?);
        validate::shape(kind, &object)?;
        defaults::encode_secret(&mut object);
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
        let managed = managed.unwrap_or_else(|| fields::record(&Value::Null, &object, &self.writer("Update", &now)));
        object["metadata"]["managedFields"] = managed;
        defaults::complete(kind, &mut object);
        tidy(&mut object);
        validate::check(kind, None, &object)?;
        let created = self.store.create(kind, object, self.dry_run()?)?;
        Ok(body::json(StatusCode::CREATED, body::full(format.one(kind, &created))))
    }

    /// What becomes of `old` when `new` is asked for: each part only through its own door, and nothing if nothing
    /// differs.
    pub(super) fn decide(
        &self,
        current: &Object,
        old: &Value,
        mut new: Value,
        managed: Option<Value>,
    ) -> Result<Change, Status> {
        let kind = self.target.kind;
        let name = &*current.key.name;
        if !new.is_object() {
            return Err(Status::bad_patch("the patch leaves no object"));
        }
        defaults::encode_secret(&mut new);
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
        if let Some(asked) = asked["name"].as_str() {
            check_same_name(asked, name)?;
        }
        // Whoever sends other owners than there are means them: so kubectl takes over what it once applied itself.
        let owners = asked["managedFields"].clone();
        let owned =
            |entries: &Vec<Value>| !entries.is_empty() && entries.iter().all(|entry| entry["fieldsV1"].is_object());
        let renamed =
            managed.is_none() && owners.as_array().is_some_and(owned) && owners != old["metadata"]["managedFields"];
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
        validate::shape(kind, &new)?;
        let rewritten = managed.as_ref().is_some_and(|managed| *managed != old["metadata"]["managedFields"]);
        if new == *old && !renamed && !rewritten {
            return Ok(Change::Unchanged);
        }
        validate::check(kind, Some(old), &new)?;
        if kind.generation && self.target.subresource != "status" && desired(&new) != desired(old) {
            new["metadata"]["generation"] = (old["metadata"]["generation"].as_i64().unwrap_or(0) + 1).into();
        }
        let managed = match managed {
            Some(managed) => managed,
            None if renamed => owners,
            None => fields::record(old, &new, &self.writer("Update", &clock::now())),
        };
        put_or_remove(entry(&mut new, "metadata"), "managedFields", managed);
        Ok(Change::Put(new))
    }

    pub(super) fn check_kind(&self, object: &Value) -> Result<(), Status> {
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

    pub(super) fn dry_run(&self) -> Result<bool, Status> {
        is_dry(self.options, self.query.get("dryRun"))
    }

    pub(super) fn writer<'a>(&'a self, operation: &'a str, now: &'a str) -> Writer<'a> {
        let agent = self.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("unknown");
        let manager = match self.query.get("fieldManager") {
            "" => agent.split('/').next().unwrap_or(agent),
            manager => manager,
        };
        Writer { manager, operation, kind: self.target.kind, subresource: &self.target.subresource, time: now }
    }
}

/// Whether `dryRun` asks to change nothing.
pub(crate) fn is_dry(options: &str, asked: &str) -> Result<bool, Status> {
    match asked {
        "" => Ok(false),
        "All" => Ok(true),
        other => {
            let why = format!("Unsupported value: \"{other}\": supported values: \"All\"");
            Err(Status::invalid_options(options, "FieldValueNotSupported", "dryRun", &why))
        }
    }
}

/// An object is sent to its own path.
pub(super) fn check_same_name(asked: &str, name: &str) -> Result<(), Status> {
    if asked == name {
        return Ok(());
    }
    Err(Status::bad_request(format!("the name of the object ({asked}) does not match the name on the URL ({name})")))
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
        let writer =
            Writer { manager: "kubectl-client-side-apply", operation: "Update", kind, subresource: "", time: &time };
        object["metadata"]["managedFields"] = fields::record(&Value::Null, &object, &writer);
    }
    // Somebody's own scenario may be built like nothing that is known.
    if validate::shape(kind, &object).is_ok() {
        defaults::complete(kind, &mut object);
    }
    if let Some(status) = status {
        let old = object.clone();
        object["status"] = status;
        if !written && kind.custom {
            let writer = Writer { manager: "kubevela", operation: "Update", kind, subresource: "status", time: &time };
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

pub(super) fn entry<'a>(object: &'a mut Value, field: &str) -> &'a mut Value {
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
