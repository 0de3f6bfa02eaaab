//! What a request's path names.

use crate::demo::kinds::{self, Kind};
use crate::demo::store::Key;

/// Objects, one object, or a subresource of one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) kind: &'static Kind,
    /// Empty for what is of the cluster, and for all namespaces.
    pub(crate) namespace: String,
    /// Empty for all objects.
    pub(crate) name: String,
    /// Empty for the object itself.
    pub(crate) subresource: String,
}

impl Eq for Kind {}

impl Target {
    /// From the path's segments after the version.
    pub(crate) fn parse(group: &str, version: &str, segments: &[&str]) -> Option<Self> {
        let (namespace, plural, rest) = match segments {
            ["namespaces", namespace, plural, rest @ ..]
                if kinds::find(group, version, plural).is_some_and(|kind| kind.namespaced) =>
            {
                (*namespace, *plural, rest)
            }
            [plural, rest @ ..] => ("", *plural, rest),
            [] => return None,
        };
        let kind = kinds::find(group, version, plural)?;
        let (name, subresource) = match rest {
            [] => ("", ""),
            [name] => (*name, ""),
            [name, subresource] => (*name, *subresource),
            _ => return None,
        };
        if kind.namespaced && namespace.is_empty() && !name.is_empty() {
            return None;
        }
        Some(Self { kind, namespace: namespace.into(), name: name.into(), subresource: subresource.into() })
    }

    pub(crate) fn key(&self) -> Key {
        Key::new(&self.namespace, &self.name)
    }

    /// The plural, with `/subresource` where there is one: what access rules name.
    pub(crate) fn resource(&self) -> String {
        if self.subresource.is_empty() {
            self.kind.plural.to_owned()
        } else {
            format!("{}/{}", self.kind.plural, self.subresource)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_they_mean() {
        let parsed = |path: &str| {
            let segments: Vec<&str> = path.split('/').collect();
            Target::parse("", "v1", &segments)
                .map(|target| (target.resource(), target.namespace.clone(), target.name.clone()))
        };
        let named = |resource: &str, namespace: &str, name: &str| {
            Some((resource.to_owned(), namespace.to_owned(), name.to_owned()))
        };
        assert_eq!(parsed("pods"), named("pods", "", ""));
        assert_eq!(parsed("namespaces/default/pods"), named("pods", "default", ""));
        assert_eq!(parsed("namespaces/default/pods/a/log"), named("pods/log", "default", "a"));
        assert_eq!(parsed("namespaces/default"), named("namespaces", "", "default"));
        assert_eq!(parsed("namespaces/default/status"), named("namespaces/status", "", "default"));
        assert_eq!(parsed("nodes/a"), named("nodes", "", "a"));
        assert_eq!(parsed("pods/a"), None);
        assert_eq!(parsed("namespaces/default/things"), None.or_else(|| named("namespaces/things", "", "default")));
        assert_eq!(parsed("things"), None);
    }
}
