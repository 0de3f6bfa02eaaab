//! Who calls, and what each may do.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::status::Status;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Everything.
    Admin,
    /// Runs deliveries: everything of applications and workloads, but no Secrets and no access rules.
    Operator,
    /// Looks at everything but Secrets.
    Reader,
    /// Operates applications in one namespace of the hub and may not look beyond.
    Namespaced,
}

/// The namespace that the user `namespaced` is confined to.
const OWN_NAMESPACE: &str = "default";

/// A user of the estate. The token guards nothing but a simulation on loopback.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: &'static str,
    pub(crate) token: &'static str,
    role: Role,
}

/// All of them, the one with every right first.
pub(crate) static USERS: [User; 4] = [
    User { name: "admin", token: "demo-admin", role: Role::Admin },
    User { name: "operator", token: "demo-operator", role: Role::Operator },
    User { name: "reader", token: "demo-reader", role: Role::Reader },
    User { name: "namespaced", token: "demo-namespaced", role: Role::Namespaced },
];

/// What someone asks to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) verb: &'a str,
    pub(crate) group: &'a str,
    /// The plural, with `/subresource` where there is one.
    pub(crate) resource: &'a str,
    /// Empty for what is of the cluster, and for all namespaces.
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

impl User {
    /// The joined clusters' own view of the hub: whoever came through the gateway.
    pub(crate) fn admin() -> &'static Self {
        &USERS[0]
    }

    /// By the bearer token; a stranger is refused.
    pub(crate) fn authenticate(headers: &HeaderMap) -> Result<&'static Self, Status> {
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let user = token.and_then(Self::with_token).ok_or_else(Status::unauthorized)?;
        // Impersonation is a right of its own, and only admin has it.
        match headers.get("impersonate-user").and_then(|name| name.to_str().ok()) {
            None => Ok(user),
            Some(name) if user.role == Role::Admin => {
                USERS.iter().find(|user| user.name == name).ok_or_else(Status::unauthorized)
            }
            Some(name) => Err(Status::forbidden(user.name, "impersonate", "", "users", name, "")),
        }
    }

    /// The user a bearer token proves.
    pub(crate) fn with_token(token: &str) -> Option<&'static Self> {
        USERS.iter().find(|user| user.token == token.trim())
    }

    /// Whether the user may; refusals say what is missing.
    pub(crate) fn authorize(&self, attempt: &Attempt<'_>) -> Result<(), Status> {
        let Attempt { verb, group, resource, namespace, name } = *attempt;
        if self.may(attempt) {
            Ok(())
        } else {
            Err(Status::forbidden(self.name, verb, group, resource, name, namespace))
        }
    }

    fn may(&self, attempt: &Attempt<'_>) -> bool {
        let Attempt { verb, group, resource, namespace, .. } = *attempt;
        // Everyone may ask what they may.
        if group == "authorization.k8s.io" || group == "authentication.k8s.io" {
            return true;
        }
        let looks = matches!(verb, "get" | "list" | "watch");
        let secret = resource == "secrets" || group == "rbac.authorization.k8s.io";
        let enters = matches!(resource, "pods/exec" | "pods/attach" | "pods/portforward");
        match self.role {
            Role::Admin => true,
            Role::Operator => !secret,
            Role::Reader => looks && !secret && !enters,
            Role::Namespaced => namespace == OWN_NAMESPACE && !secret && (looks || group == super::kinds::VELA),
        }
    }

    /// Answers a SelfSubjectAccessReview.
    pub(crate) fn review(&self, mut review: Value) -> Value {
        let allowed = match review.pointer("/spec/resourceAttributes") {
            None => true,
            Some(asked) => {
                let text = |key: &str| asked[key].as_str().unwrap_or_default();
                let resource = match text("subresource") {
                    "" => text("resource").to_owned(),
                    subresource => format!("{}/{subresource}", text("resource")),
                };
                self.may(&Attempt {
                    verb: text("verb"),
                    group: text("group"),
                    resource: &resource,
                    namespace: text("namespace"),
                    name: text("name"),
                })
            }
        };
        review["status"] = if allowed {
            json!({ "allowed": true, "reason": format!("RBAC: allowed to User \"{}\"", self.name) })
        } else {
            json!({ "allowed": false })
        };
        review
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(user: &str, verb: &str, group: &str, resource: &str, namespace: &str) -> bool {
        let user = USERS.iter().find(|known| known.name == user).unwrap();
        user.may(&Attempt { verb, group, resource, namespace, name: "" })
    }

    #[test]
    fn each_user_may_what_its_role_says() {
        assert!(may("admin", "delete", "", "secrets", "vela-system"));
        assert!(may("operator", "patch", "core.oam.dev", "applications/status", "default"));
        assert!(!may("operator", "list", "", "secrets", "default"));
        assert!(may("reader", "get", "", "pods/log", "default"));
        assert!(!may("reader", "get", "", "pods/exec", "default"));
        assert!(!may("reader", "patch", "core.oam.dev", "applications/status", "default"));
        assert!(may("namespaced", "list", "core.oam.dev", "applications", "default"));
        assert!(!may("namespaced", "list", "core.oam.dev", "applications", ""));
        assert!(!may("namespaced", "list", "cluster.core.oam.dev", "virtualclusters", ""));
    }
}
