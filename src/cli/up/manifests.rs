//! The documents of a manifest file: Applications alone, each with the place it stands at.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    cli::failure::Failure,
    model::{apply::Manifest, key::AppKey},
    yaml,
};

/// The largest file that is read: etcd takes objects of 1.5 MiB.
const LIMIT: u64 = 16 * 1024 * 1024;

/// One Application of a file.
#[derive(Debug)]
pub(super) struct Document {
    /// The file and the line it begins at.
    pub(super) place: String,
    object: Value,
}

impl Document {
    /// Its key; `namespace` where it names none.
    pub(super) fn key(&self, namespace: &str) -> AppKey {
        let text = |field: &str| self.object["metadata"][field].as_str().filter(|text| !text.is_empty());
        AppKey::new(text("namespace").unwrap_or(namespace), text("name").unwrap_or_default())
    }

    /// What is to be applied.
    pub(super) fn manifest(mut self, namespace: &str) -> Manifest {
        let key = self.key(namespace);
        self.object["metadata"]["namespace"] = json!(&*key.namespace);
        Manifest::new(self.object)
    }
}

/// Reads a file, or standard input where it is `-`.
pub(super) fn read(path: &Path) -> Result<Vec<Document>, Failure> {
    let (name, text) = if path.as_os_str() == "-" {
        ("standard input".to_owned(), text(io::stdin().lock()))
    } else {
        (path.display().to_string(), File::open(path).and_then(text))
    };
    let text = text.map_err(|error| Failure::failed(format!("cannot read {name}: {error}")))?;
    parse(&name, &text)
}

fn text(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    let read = from.take(LIMIT + 1).read_to_string(&mut text)?;
    if read as u64 > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 MiB"));
    }
    Ok(text)
}

fn parse(name: &str, text: &str) -> Result<Vec<Document>, Failure> {
    let documents = yaml::documents_with_lines(text).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    if documents.is_empty() {
        return Err(Failure::usage(format!("{name} holds nothing to apply")));
    }
    documents
        .into_iter()
        .map(|(line, object)| {
            let place = format!("{name}: line {line}");
            match refusal(&object) {
                Some(why) => Err(Failure::usage(format!("{place}: {why}"))),
                None => Ok(Document { place, object }),
            }
        })
        .collect()
}

/// Why a document cannot be applied, and what to do instead.
fn refusal(object: &Value) -> Option<String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("/apiVersion"), text("/kind"));
    if version.is_empty() || kind.is_empty() {
        let advice = "an Application begins with `apiVersion: core.oam.dev/v1beta1` and `kind: Application`";
        return Some(if object.get("services").is_some() && object.get("name").is_some() {
            format!("this is an appfile, no Application: `vela export` makes one of it; {advice}")
        } else {
            format!("no object of Kubernetes: {advice}")
        });
    }
    if kind != "Application" || version.split('/').next() != Some("core.oam.dev") {
        return Some(format!("{kind} ({version}) is no Application: `kubectl apply -f` takes it"));
    }
    if version != "core.oam.dev/v1beta1" {
        return Some(format!("{version} is not served any more: write `apiVersion: core.oam.dev/v1beta1`"));
    }
    if !object["metadata"].is_object() || text("/metadata/name").is_empty() {
        return Some("the Application has no `metadata.name`".to_owned());
    }
    let namespace = text("/metadata/namespace");
    if !namespace.is_empty()
        && let Err(why) = crate::cli::args::namespace(namespace)
    {
        return Some(format!("`metadata.namespace` is {namespace:?}: {why}"));
    }
    if !object["spec"].is_object() {
        return Some("the Application has no `spec`".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str =
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: a}\nspec: {components: []}\n";

    fn refused(text: &str) -> String {
        let failure = parse("f.yaml", text).unwrap_err();
        assert_eq!(failure.code, crate::cli::failure::code::USAGE, "{text}");
        failure.message
    }

    #[test]
    fn applications_are_taken_with_their_place_and_a_namespace() {
        let text =
            format!("# two\n---\n{APP}---\n---\n# the other\n{}", APP.replace("name: a", "name: b, namespace: prod"));
        let documents = parse("f.yaml", &text).unwrap();
        let places: Vec<&str> = documents.iter().map(|document| document.place.as_str()).collect();
        assert_eq!(places, ["f.yaml: line 3", "f.yaml: line 10"]);
        let keys: Vec<String> = documents.iter().map(|document| document.key("test").to_string()).collect();
        assert_eq!(keys, ["test/a", "prod/b"]);
        for (document, namespace) in documents.into_iter().zip(["test", "prod"]) {
            assert_eq!(document.manifest("test").object()["metadata"]["namespace"], namespace);
        }
        let json =
            r#"{"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": {"name": "a"}, "spec": {}}"#;
        assert_eq!(parse("f.json", json).unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_applied_is_said_with_its_place_and_what_to_do() {
        for (text, said) in [
            ("", "f.yaml holds nothing to apply"),
            ("---\n# nothing\n", "f.yaml holds nothing to apply"),
            ("a: [1\n", "f.yaml: line "),
            ("a: 1\nb: 012\n", "f.yaml: line 2, column 4: 012 is octal to some"),
            ("- a\n", "f.yaml: line 1: no object of Kubernetes: an Application begins with"),
            ("name: a\nservices: {}\n", "f.yaml: line 1: this is an appfile"),
            ("apiVersion: v1\nkind: Service\n", "f.yaml: line 1: Service (v1) is no Application: `kubectl apply -f`"),
            ("apiVersion: argoproj.io/v1\nkind: Application\n", "Application (argoproj.io/v1) is no Application"),
            ("apiVersion: core.oam.dev/v1alpha2\nkind: Application\n", "write `apiVersion: core.oam.dev/v1beta1`"),
            ("apiVersion: core.oam.dev/v1beta1\nkind: Application\nspec: {}\n", "has no `metadata.name`"),
            ("apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: a}\n", "has no `spec`"),
            (
                "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: a, namespace: ../b}\nspec: {}\n",
                "`metadata.namespace` is \"../b\"",
            ),
        ] {
            assert!(refused(text).contains(said), "{text:?}: {}", refused(text));
        }
        let second = refused(&format!("{APP}---\nkind: Policy\napiVersion: core.oam.dev/v1alpha1\n"));
        assert!(second.starts_with("f.yaml: line 6: Policy"), "{second}");
    }
}
