//! Refusals, worded as a real API server words them (`kubectl` and dashboards show these sentences as they are).

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::kinds::Kind;

/// A `metav1.Status` with status Failure.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) code: StatusCode,
    pub(crate) reason: Option<&'static str>,
    pub(crate) message: String,
    // Boxed, to keep what every answer may fail with small.
    details: Box<Map<String, Value>>,
    continue_token: Option<String>,
}

impl Status {
    fn new(code: StatusCode, reason: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Box::default(), continue_token: None }
    }

    fn about(mut self, kind: &Kind, name: &str) -> Self {
        if !name.is_empty() {
            self.details.insert("name".to_owned(), name.into());
        }
        if !kind.group.is_empty() {
            self.details.insert("group".to_owned(), kind.group.into());
        }
        self.details.insert("kind".to_owned(), kind.plural.into());
        self
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, Some("NotFound"), format!("{kind} \"{name}\" not found")).about(kind, name)
    }

    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Self {
        Self::new(StatusCode::CONFLICT, Some("AlreadyExists"), format!("{kind} \"{name}\" already exists"))
            .about(kind, name)
    }

    pub(crate) fn modified(kind: &Kind, name: &str) -> Self {
        const SENTENCE: &str =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, SENTENCE)
    }

    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {kind} \"{name}\": {why}");
        Self::new(StatusCode::CONFLICT, Some("Conflict"), message).about(kind, name)
    }

    /// `field` and `why` as in `metadata.name: Required value: name or generateName is required`.
    pub(crate) fn invalid(kind: &Kind, name: &str, reason: &'static str, field: &str, why: &str) -> Self {
        let object = if kind.group.is_empty() { kind.name.to_owned() } else { format!("{}.{}", kind.name, kind.group) };
        let message = format!("{object} \"{name}\" is invalid: {field}: {why}");
        let mut status = Self::new(StatusCode::UNPROCESSABLE_ENTITY, Some("Invalid"), message).about(kind, name);
        status.details.insert("kind".to_owned(), kind.name.into());
        status.details.insert("causes".to_owned(), json!([{ "reason": reason, "message": why, "field": field }]));
        status
    }

    /// A request's options that cannot be meant, such as `dryRun=Some`. `options` is `CreateOptions` or another.
    pub(crate) fn invalid_options(options: &str, reason: &'static str, field: &str, why: &str) -> Self {
        let message = format!("{options}.meta.k8s.io \"\" is invalid: {field}: {why}");
        let mut status = Self::new(StatusCode::UNPROCESSABLE_ENTITY, Some("Invalid"), message);
        status.details.insert("group".to_owned(), "meta.k8s.io".into());
        status.details.insert("kind".to_owned(), options.into());
        status.details.insert("causes".to_owned(), json!([{ "reason": reason, "message": why, "field": field }]));
        status
    }

    /// Fields that others own, for a server-side apply.
    pub(crate) fn apply_conflict(message: String, causes: Vec<Value>) -> Self {
        let mut status = Self::new(StatusCode::CONFLICT, Some("Conflict"), message);
        status.details.insert("causes".to_owned(), causes.into());
        status
    }

    /// A list or an object of a revision that is still to come.
    pub(crate) fn too_new(asked: u64, newest: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {newest}");
        let mut status = Self::new(StatusCode::GATEWAY_TIMEOUT, Some("Timeout"), message);
        let cause = json!({ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" });
        status.details.insert("causes".to_owned(), json!([cause]));
        status.details.insert("retryAfterSeconds".to_owned(), 1.into());
        status
    }

    /// A JSON patch of more operations than are taken.
    pub(crate) fn too_many_operations(count: usize, limit: usize) -> Self {
        let message = format!("The allowed maximum operations in a JSON patch is {limit}, got {count}");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Some("RequestEntityTooLarge"), message)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some("BadRequest"), message)
    }

    /// A patch that cannot be applied to what is there.
    pub(crate) fn bad_patch(why: &str) -> Self {
        let message = format!("the server rejected our request due to an error in our request: {why}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, Some("Invalid"), message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Some("Unauthorized"), "Unauthorized")
    }

    /// `resource` is the plural, with `/subresource` where there is one.
    pub(crate) fn forbidden(user: &str, verb: &str, group: &str, resource: &str, name: &str, namespace: &str) -> Self {
        let plural = resource.split('/').next().unwrap_or(resource);
        let qualified = if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
        let named = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        let place = if namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace \"{namespace}\"")
        };
        let message = format!(
            "{qualified}{named} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" in API group \
             \"{group}\" {place}"
        );
        let mut status = Self::new(StatusCode::FORBIDDEN, Some("Forbidden"), message);
        for (key, value) in [("name", name), ("group", group), ("kind", plural)] {
            if !value.is_empty() {
                status.details.insert(key.to_owned(), value.into());
            }
        }
        status
    }

    /// Creation in a namespace that is being deleted.
    pub(crate) fn terminating(kind: &Kind, name: &str, namespace: &str) -> Self {
        let message = format!(
            "{kind} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because it is being \
             terminated"
        );
        Self::new(StatusCode::FORBIDDEN, Some("Forbidden"), message).about(kind, name)
    }

    pub(crate) fn watch_not_supported(group: &str, plural: &str) -> Self {
        let message = format!("watch is not supported on resources of kind \"{plural}.{group}\"");
        let mut status = Self::new(StatusCode::METHOD_NOT_ALLOWED, Some("MethodNotAllowed"), message);
        status.details.insert("group".to_owned(), group.into());
        status.details.insert("kind".to_owned(), plural.into());
        status
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, Some("MethodNotAllowed"), message)
    }

    pub(crate) fn unsupported_media_type(accepted: &str) -> Self {
        let message =
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Some("UnsupportedMediaType"), message)
    }

    pub(crate) fn not_acceptable() -> Self {
        let message = "only the following media types are accepted: application/json";
        Self::new(StatusCode::NOT_ACCEPTABLE, Some("NotAcceptable"), message)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Some("RequestEntityTooLarge"), message)
    }

    /// A watch from a revision that history no longer holds.
    pub(crate) fn too_old(asked: u64, oldest: u64) -> Self {
        Self::new(StatusCode::GONE, Some("Expired"), format!("too old resource version: {asked} ({oldest})"))
    }

    /// A `continue` from such a revision; `fresh` goes on inconsistently from the same place.
    pub(crate) fn continue_expired(fresh: String) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. You can start a \
            new list without the continue parameter, or use the continue token in this response to retrieve the remainder \
            of the results. Continuing with the provided token results in an inconsistent list - objects that were \
            created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
        let mut status = Self::new(StatusCode::GONE, Some("Expired"), message);
        status.continue_token = Some(fresh);
        status
    }

    /// An error without reason, as the cluster gateway gives it.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, None, message)
    }

    /// A path that names nothing the server knows.
    pub(crate) fn no_such_resource() -> Self {
        Self::new(StatusCode::NOT_FOUND, Some("NotFound"), "the server could not find the requested resource")
    }

    /// A named thing that is no served kind, such as the gateway's own.
    pub(crate) fn named_not_found(group: &str, plural: &str, name: &str) -> Self {
        let message = format!("{plural}.{group} \"{name}\" not found");
        let mut status = Self::new(StatusCode::NOT_FOUND, Some("NotFound"), message);
        for (key, value) in [("name", name), ("group", group), ("kind", plural)] {
            status.details.insert(key.to_owned(), value.into());
        }
        status
    }

    /// A joined cluster's Secret that is not there, as the gateway words it.
    pub(crate) fn secret_not_found(name: &str) -> Self {
        let mut status = Self::new(StatusCode::NOT_FOUND, Some("NotFound"), format!("secret \"{name}\" not found"));
        status.details.insert("name".to_owned(), name.into());
        status.details.insert("kind".to_owned(), "secret".into());
        status
    }

    /// The object as JSON.
    pub(crate) fn to_json(&self) -> Value {
        let metadata = self.continue_token.as_ref().map_or_else(|| json!({}), |token| json!({ "continue": token }));
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": metadata, "status": "Failure", "message": self.message,
        });
        if let Some(reason) = self.reason {
            status["reason"] = reason.into();
        }
        if !self.details.is_empty() {
            status["details"] = Value::Object(Map::clone(&self.details));
        }
        status["code"] = self.code.as_u16().into();
        status
    }
}
