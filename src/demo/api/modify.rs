//! Update, patch, apply and scale: changes of what is there.

use http::StatusCode;
use serde_json::{Value, json};

use super::apply::{self, Applied};
use super::body::{self, Answer};
use super::format::Format;
use super::write::{Write, check_same_name, entry};
use super::{patch, read, validate};
use crate::demo::clock;
use crate::demo::status::Status;

impl Write<'_> {
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
            self.decide(current, &old, object, None)
        })?;
        Ok(body::json(StatusCode::OK, body::full(format.one(self.target.kind, &changed))))
    }

    pub(crate) fn patch(&self) -> Result<Answer, Status> {
        const JSON: &str = "application/json-patch+json, application/merge-patch+json";
        let kind = self.target.kind;
        let format = Format::negotiate(self.headers, self.query)?;
        let content_type = body::content_type(self.headers);
        let apply: fn(&mut Value, &Value) -> Result<(), Status> = match content_type {
            "application/apply-patch+yaml" => return self.apply(),
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
            _ => {
                let strategic = if kind.custom { "" } else { ", application/strategic-merge-patch+json" };
                let accepted = format!("{JSON}{strategic}, application/apply-patch+yaml");
                return Err(Status::unsupported_media_type(&accepted));
            }
        };
        let change: Value = serde_json::from_slice(&self.body)
            .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
        if content_type == "application/json-patch+json" {
            let count = change.as_array().map_or(0, Vec::len);
            if count > patch::OPERATIONS {
                return Err(Status::too_many_operations(count, patch::OPERATIONS));
            }
        } else if !change.is_object() {
            return Err(Status::bad_request("error decoding patch: the patch is not a JSON object"));
        }
        if self.target.subresource == "scale" {
            return self.scale(|scale| apply(scale, &change));
        }
        let key = self.target.key();
        let changed = self.store.change(kind, &key, self.dry_run()?, |current, old| {
            let mut new = old.clone();
            apply(&mut new, &change)?;
            self.decide(current, &old, new, None)
        })?;
        Ok(body::json(StatusCode::OK, body::full(format.one(kind, &changed))))
    }

    /// A server-side apply: the object is created if it is not there.
    fn apply(&self) -> Result<Answer, Status> {
        let (kind, key) = (self.target.kind, self.target.key());
        let format = Format::negotiate(self.headers, self.query)?;
        if self.query.get("fieldManager").is_empty() {
            let why = "Required value: is required for apply patch";
            return Err(Status::invalid_options("PatchOptions", "FieldValueRequired", "fieldManager", why));
        }
        let mut config = body::parse_yaml(&self.body)?;
        for field in ["apiVersion", "kind"] {
            if config[field].as_str().is_none_or(str::is_empty) {
                return Err(Status::bad_request(format!("Object '{field}' is missing in the object provided")));
            }
        }
        self.check_kind(&config)?;
        validate::shape(kind, &config)?;
        entry(&mut config, "metadata");
        if config["metadata"]["managedFields"].as_array().is_some_and(|entries| !entries.is_empty()) {
            return Err(Status::bad_request("metadata.managedFields must be nil"));
        }
        let status = config.as_object_mut().and_then(|fields| fields.shift_remove("status"));
        if self.target.subresource == "status" {
            let metadata = config["metadata"]["resourceVersion"].take();
            config =
                json!({ "metadata": { "resourceVersion": metadata }, "status": status.unwrap_or_else(|| json!({})) });
        } else if let (false, Some(status)) = (kind.status, status) {
            config["status"] = status;
        }
        if self.target.subresource == "scale" {
            return self.scale(|scale| {
                patch::merge(scale, &config);
                Ok(())
            });
        }
        let now = clock::now();
        let writer = self.writer("Apply", &now);
        let force = self.query.flag("force");
        let changed = self.store.change(kind, &key, self.dry_run()?, |current, old| {
            let Applied { mut object, managed } = apply::apply(&old, &config, &writer, force)?;
            // What identifies the object and what it must not have changed meanwhile are the request's own word.
            for field in ["name", "uid", "resourceVersion"] {
                if !config["metadata"][field].is_null() {
                    object["metadata"][field] = config["metadata"][field].clone();
                } else if field == "resourceVersion" {
                    object["metadata"][field] = Value::Null;
                }
            }
            self.decide(current, &old, object, Some(managed))
        });
        match changed {
            Err(status) if status.code == StatusCode::NOT_FOUND && self.target.subresource.is_empty() => {
                let Applied { mut object, managed } = apply::apply(&Value::Null, &config, &writer, force)?;
                let metadata = entry(&mut object, "metadata");
                match metadata["name"].as_str() {
                    None | Some("") => metadata["name"] = key.name.as_ref().into(),
                    Some(name) => check_same_name(name, &key.name)?,
                }
                self.add(object, Some(managed))
            }
            changed => Ok(body::json(StatusCode::OK, body::full(format.one(kind, &*changed?)))),
        }
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
            entry(&mut new, "spec")["replicas"] = replicas.into();
            entry(&mut new, "metadata")["resourceVersion"] = revision;
            self.decide(current, &old, new, None)
        })?;
        Ok(body::value(StatusCode::OK, &read::scale(self.store, self.target)?))
    }
}
