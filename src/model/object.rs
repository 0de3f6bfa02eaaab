//! One object of any kind, looked at: its YAML, and what is to be said of it.

use std::{fmt, ops::Range};

use jiff::Timestamp;

use super::{
    health::Health,
    key::{AppKey, ClusterId, PodKey, Text},
    resource::ResourceKey,
};

/// What of an object is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRequest {
    /// The object.
    pub key: ResourceKey,
    /// Which side of it.
    pub face: Face,
    /// Whether a Secret's content is wanted too. Only a person's confirmed wish sets this; of every other kind the
    /// content always comes.
    pub content: bool,
}

/// A side that an object is looked at from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// The whole of it.
    Yaml,
    /// What matters of it, and its events.
    Description,
}

/// What is told of an object that is followed.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectNews {
    /// How it is now, as YAML.
    Yaml(Box<Document>),
    /// How it is now, described.
    Described(Box<Description>),
    /// It is not there, or not any more.
    Gone,
    /// It could not be asked for: why. It is asked for again.
    Failed(Text),
}

/// An object's YAML by lines. Never shown by `Debug`: it may be a Secret's, and it may be long.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Document {
    text: String,
    /// Where each line begins.
    starts: Vec<u32>,
    /// Whether each line is text that began on a line before.
    texts: Vec<bool>,
    managed: Range<usize>,
    veiled: Vec<Veiled>,
}

/// Text that is not for logs: it may hold a Secret's content.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Private(pub String);

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Private({} bytes)", self.0.len())
    }
}

/// One entry of a Secret: kept apart from the text, in which stars stand for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Veiled {
    /// The line it stands on.
    pub line: usize,
    /// Its key in `data`.
    pub key: Text,
    /// Its value in base64, as the server gave it.
    pub value: Text,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} lines)", self.len())
    }
}

impl fmt::Debug for Veiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Veiled({})", self.key)
    }
}

impl Document {
    /// Reads text as a YAML serializer writes it: one mapping in block style. `veiled` are the entries of `data` in the
    /// order in which they stand, each on one line.
    pub fn new(text: String, veiled: Vec<(Text, Text)>) -> Self {
        let mut document = Self { text, ..Self::default() };
        let mut at = 0;
        // The indent of the line that a block of text belongs to.
        let mut block: Option<usize> = None;
        let mut section = "";
        let mut managed: Option<Range<usize>> = None;
        let mut veiled = veiled.into_iter();
        for (number, line) in document.text.split_inclusive('\n').enumerate() {
            document.starts.push(u32::try_from(at).unwrap_or(u32::MAX));
            at += line.len();
            let line = line.trim_end_matches('\n');
            let indent = line.len() - line.trim_start_matches(' ').len();
            let is_text = block.is_some_and(|above| line.trim().is_empty() || indent > above);
            document.texts.push(is_text);
            if is_text {
                if let Some(range) = managed.as_mut().filter(|range| range.end == number) {
                    range.end = number + 1;
                }
                continue;
            }
            block = begins_text(line).then_some(indent);
            if indent == 0 && !line.starts_with('-') {
                section = line.split(':').next().unwrap_or_default();
            }
            if section == "metadata" && line.starts_with("  managedFields:") {
                managed = Some(number..number + 1);
            } else if let Some(range) = managed.as_mut().filter(|range| range.end == number)
                && (indent > 2 || (indent == 2 && line.trim_start().starts_with('-')))
            {
                range.end = number + 1;
            }
            if section == "data"
                && indent == 2
                && let Some((key, value)) = veiled.next()
            {
                document.veiled.push(Veiled { line: number, key, value });
            }
        }
        document.managed = managed.unwrap_or_default();
        document
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A line without its end; empty beyond the last.
    pub fn line(&self, number: usize) -> &str {
        let at = |number: usize| self.starts.get(number).map(|at| *at as usize);
        let Some(from) = at(number) else { return "" };
        let to = at(number + 1).unwrap_or(self.text.len());
        self.text.get(from..to).unwrap_or_default().trim_end_matches('\n')
    }

    /// The line that a byte of the text stands on.
    pub fn line_at(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start as usize <= byte).saturating_sub(1)
    }

    /// Whether a line is text that began on a line before, whatever it looks like.
    pub fn is_text(&self, number: usize) -> bool {
        self.texts.get(number).copied().unwrap_or_default()
    }

    /// The lines of `metadata.managedFields`; empty where there are none.
    pub fn managed(&self) -> Range<usize> {
        self.managed.clone()
    }

    /// What of a Secret stands behind stars.
    pub fn veiled(&self) -> &[Veiled] {
        &self.veiled
    }
}

/// Whether the lines below, as far as they are indented deeper, are text.
fn begins_text(line: &str) -> bool {
    let last = line.rsplit(' ').next().unwrap_or_default();
    let mut marks = last.chars();
    matches!(marks.next(), Some('|' | '>'))
        && marks.all(|mark| matches!(mark, '-' | '+' | '0'..='9'))
        && (line.contains(": ") || line.trim_start().starts_with("- "))
}

/// What is to be said of an object, in sections.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// The sections, in order.
    pub sections: Vec<Section>,
}

/// Lines under a heading.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// The heading; empty: none.
    pub title: String,
    /// The lines.
    pub lines: Vec<Vec<Word>>,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// What something is called.
    Name(String),
    /// What it is.
    Value(String),
    /// The same, and it matters.
    Strong(String),
    /// The same, by how it stands, behind its mark.
    Standing(Health, String),
    /// How long ago.
    Ago(Timestamp),
}

impl ResourceKey {
    /// An application on the hub.
    pub fn application(app: &AppKey) -> Self {
        Self {
            cluster: ClusterId::local(),
            group: "core.oam.dev".into(),
            kind: "Application".into(),
            namespace: app.namespace.clone(),
            name: app.name.clone(),
        }
    }

    /// A pod.
    pub fn pod(pod: &PodKey) -> Self {
        Self {
            cluster: pod.cluster.clone(),
            group: "".into(),
            kind: "Pod".into(),
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
        }
    }

    /// A cluster, as the hub knows it.
    pub fn cluster(cluster: &ClusterId) -> Self {
        Self {
            cluster: ClusterId::local(),
            group: "cluster.core.oam.dev".into(),
            kind: "VirtualCluster".into(),
            namespace: "".into(),
            name: cluster.0.clone(),
        }
    }

    /// The pod that this is, if it is one.
    pub fn as_pod(&self) -> Option<PodKey> {
        (self.group.is_empty() && &*self.kind == "Pod").then(|| PodKey {
            cluster: self.cluster.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        })
    }

    /// Whether this is a Secret: its content is fetched only when a person asks for it.
    pub fn is_secret(&self) -> bool {
        self.group.is_empty() && &*self.kind == "Secret"
    }
}

impl fmt::Display for ResourceKey {
    /// `foo/default/Deployment/hello`; what is of no namespace leaves that out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.cluster)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        write!(f, "{}/{}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
apiVersion: v1
data:
  password: '********'
  user: '********'
kind: Secret
metadata:
  annotations:
    note: |
      managedFields: none
      - of this
  managedFields:
  - apiVersion: v1
    fieldsV1:
      f:data: {}
    manager: kubectl
  name: hello
";

    fn document() -> Document {
        Document::new(TEXT.to_owned(), vec![("password".into(), "aHVudGVyMg==".into()), ("user".into(), "bWVp".into())])
    }

    #[test]
    fn lines_are_found_by_number_and_by_place() {
        let document = document();
        assert_eq!(document.len(), 16);
        assert_eq!(document.line(0), "apiVersion: v1");
        assert_eq!(document.line(15), "  name: hello");
        assert_eq!(document.line(99), "");
        assert_eq!(document.line_at(TEXT.find("kind: Secret").unwrap()), 4);
        assert_eq!(document.line_at(0), 0);
    }

    #[test]
    fn what_servers_manage_is_found_and_text_that_looks_like_it_is_not() {
        let document = document();
        assert_eq!(document.managed(), 10..15);
        assert!(document.is_text(8) && document.is_text(9) && !document.is_text(10) && !document.is_text(7));
    }

    #[test]
    fn a_secrets_values_stand_apart_and_are_never_told_by_debug() {
        let document = document();
        let lines: Vec<_> = document.veiled().iter().map(|veiled| (veiled.line, &*veiled.key)).collect();
        assert_eq!(lines, [(2, "password"), (3, "user")]);
        let told = format!("{document:?} {:?}", document.veiled());
        assert!(!told.contains("aHVudGVyMg"), "{told}");
    }
}
