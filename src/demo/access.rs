//! Who calls, and what each may do.

use std::borrow::Cow;

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
    /// Nothing but to ask what it may: somebody whom no access rule names.
    Nobody,
}

/// The namespace that the user `namespaced` is confined to.
const OWN_NAMESPACE: &str = "default";
/// Whoever is in this group may everything, as on a real server.
const MASTERS: &str = "system:masters";

/// A user with a token. It guards nothing but a simulation on loopback.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) name: &'static str,
    pub(crate) token: &'static str,
    role: Role,
}

/// All of them, the one with every right first.
pub(crate) static ACCOUNTS: [Account; 4] = [
    Account { name: "admin", token: "demo-admin", role: Role::Admin },
    Account { name: "operator", token: "demo-operator", role: Role::Operator },
    Account { name: "reader", token: "demo-reader", role: Role::Reader },
    Account { name: "namespaced", token: "demo-namespaced", role: Role::Namespaced },
];

/// Whoever sends a request: the owner of a token, or whom that one stands in for.
#[derive(Debug, Clone)]
pub(crate) struct User {
    name: Cow<'static, str>,
    groups: Vec<String>,
    role: Role,
}

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
    fn of(account: &Account) -> Self {
        Self { name: account.name.into(), groups: vec!["system:authenticated".to_owned()], role: account.role }
    }

    /// The joined clusters' own view of the hub: whoever came through the gateway.
    pub(crate) fn admin() -> Self {
        Self::of(&ACCOUNTS[0])
    }

    pub(crate) fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The user a bearer token proves.
    pub(crate) fn with_token(token: &str) -> Option<Self> {
        ACCOUNTS.iter().find(|account| account.token == token.trim()).map(Self::of)
    }

    /// By the bearer token (a stranger is refused), and then whoever it asks to stand in for.
    pub(crate) fn authenticate(headers: &HeaderMap) -> Result<Self, Status> {
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let user = token.and_then(Self::with_token).ok_or_else(Status::unauthorized)?;
        user.impersonate(headers)
    }

    /// Impersonation is a right of its own, and only admin has it. A name that no account has is a user like any other,
    /// with no rights but those of its groups.
    fn impersonate(self, headers: &HeaderMap) -> Result<Self, Status> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let asked = headers.get_all("impersonate-group").iter().filter_map(|value| value.to_str().ok());
        let mut groups: Vec<String> = asked.map(str::to_owned).collect();
        let Some(name) = text("impersonate-user").filter(|name| !name.is_empty()) else {
            let extra = headers.keys().any(|name| name.as_str().starts_with("impersonate-"));
            return if extra {
                Err(Status::internal(format!("requested {groups:?} without impersonating a user")))
            } else {
                Ok(self)
            };
        };
        let service_account = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
        let (resource, namespace, asked) = match service_account {
            Some((namespace, name)) => ("serviceaccounts", namespace, name),
            None => ("users", "", name.as_str()),
        };
        let all = groups.iter().map(|group| ("groups", "", group.as_str()));
        for (resource, namespace, name) in std::iter::once((resource, namespace, asked)).chain(all) {
            self.authorize(&Attempt { verb: "impersonate", group: "", resource, namespace, name })?;
        }
        let known = ACCOUNTS.iter().find(|account| account.name == name);
        let role = if groups.iter().any(|group| group == MASTERS) {
            Role::Admin
        } else {
            known.map_or(Role::Nobody, |account| account.role)
        };
        groups.push("system:authenticated".to_owned());
        Ok(Self { name: name.into(), groups, role })
    }

    /// Whether the user may; refusals say what is missing.
    pub(crate) fn authorize(&self, attempt: &Attempt<'_>) -> Result<(), Status> {
        let Attempt { verb, group, resource, namespace, name } = *attempt;
        if self.may(attempt) {
            Ok(())
        } else {
            Err(Status::forbidden(&self.name, verb, group, resource, name, namespace))
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
            Role::Nobody => false,
            Role::Operator => !secret && verb != "impersonate",
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
        review["status"] =
            if allowed { json!({ "allowed": true, "reason": self.because() }) } else { json!({ "allowed": false }) };
        review
    }

    /// The rule that allows, in a real server's words.
    fn because(&self) -> String {
        let name = &self.name;
        match self.role {
            Role::Namespaced => {
                format!("RBAC: allowed by RoleBinding \"{name}/{OWN_NAMESPACE}\" of Role \"{name}\" to User \"{name}\"")
            }
            Role::Nobody => "RBAC: allowed by ClusterRoleBinding \"system:basic-user\" of ClusterRole \
                             \"system:basic-user\" to Group \"system:authenticated\""
                .to_owned(),
            _ => format!("RBAC: allowed by ClusterRoleBinding \"{name}\" of ClusterRole \"{name}\" to User \"{name}\""),
        }
    }

    /// Answers a SelfSubjectReview: who asks.
    pub(crate) fn introduce(&self, mut review: Value) -> Value {
        review["status"] = json!({ "userInfo": { "username": self.name, "groups": self.groups } });
        review
    }

    /// Answers a SelfSubjectRulesReview: what may be done in a namespace, as rules.
    pub(crate) fn rules(&self, mut review: Value) -> Value {
        let rule = |verbs: &[&str], groups: &[&str], resources: &[&str]| json!({ "verbs": verbs, "apiGroups": groups, "resources": resources });
        let namespace = review.pointer("/spec/namespace").and_then(Value::as_str).unwrap_or_default();
        let mut rules = vec![
            rule(&["create"], &["authorization.k8s.io"], &["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
            rule(&["create"], &["authentication.k8s.io"], &["selfsubjectreviews"]),
        ];
        let look = ["get", "list", "watch"];
        match self.role {
            Role::Admin | Role::Operator => rules.push(rule(&["*"], &["*"], &["*"])),
            Role::Reader => rules.push(rule(&look, &["*"], &["*"])),
            Role::Namespaced if namespace == OWN_NAMESPACE => {
                rules.push(rule(&["*"], &[super::kinds::VELA], &["*"]));
                rules.push(rule(&look, &["*"], &["*"]));
            }
            Role::Namespaced | Role::Nobody => {}
        }
        // What the wildcards above leave out cannot be said in rules.
        let incomplete = matches!(self.role, Role::Operator | Role::Reader | Role::Namespaced);
        review["status"] = json!({ "resourceRules": rules, "nonResourceRules": [], "incomplete": incomplete });
        review
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(user: &str, verb: &str, group: &str, resource: &str, namespace: &str) -> bool {
        let account = ACCOUNTS.iter().find(|known| known.name == user).unwrap();
        User::of(account).may(&Attempt { verb, group, resource, namespace, name: "" })
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

    #[test]
    fn who_may_stand_in_for_others_becomes_them_with_their_rights_alone() {
        let as_whom = |token: &str, headers: &[(&'static str, &str)]| {
            let mut all = HeaderMap::new();
            all.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            for (name, value) in headers {
                all.append(*name, value.parse().unwrap());
            }
            User::authenticate(&all)
        };
        let may =
            |user: &User| user.may(&Attempt { verb: "list", group: "", resource: "pods", namespace: "", name: "" });
        assert!(may(&as_whom("demo-admin", &[("impersonate-user", "reader")]).unwrap()));
        let stranger = as_whom("demo-admin", &[("impersonate-user", "alice"), ("impersonate-group", "dev")]).unwrap();
        assert!(!may(&stranger));
        assert_eq!(
            stranger.introduce(json!({}))["status"]["userInfo"],
            json!({
                "username": "alice", "groups": ["dev", "system:authenticated"],
            })
        );
        let master = [("impersonate-user", "alice"), ("impersonate-group", MASTERS)];
        assert!(may(&as_whom("demo-admin", &master).unwrap()));
        let refused = as_whom("demo-reader", &master).unwrap_err();
        let sentence = "users \"alice\" is forbidden: User \"reader\" cannot impersonate resource \"users\" in API group \"\" \
                        at the cluster scope";
        assert_eq!((refused.code.as_u16(), refused.message.as_str()), (403, sentence));
        assert_eq!(as_whom("demo-admin", &[("impersonate-group", "dev")]).unwrap_err().code.as_u16(), 500);
        assert_eq!(as_whom("nobody", &[]).unwrap_err().code.as_u16(), 401);
    }
}
