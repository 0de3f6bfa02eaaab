//! Label selectors as Kubernetes has them: `team=a,tier!=cache,env in (prod,test),!legacy`.

use std::str::FromStr;

use super::key::Text;

/// Labels, sorted by key; those of like pods share one copy.
pub type Labels = std::sync::Arc<[(Text, Text)]>;

/// What labels must be like: every requirement holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Exists,
    Missing,
    OneOf(Vec<String>),
    /// Holds without the label too.
    NoneOf(Vec<String>),
}

impl Selector {
    /// Whether labels are as asked.
    pub fn matches(&self, labels: &[(Text, Text)]) -> bool {
        self.requirements.iter().all(|Requirement { key, rule }| {
            let value = labels.iter().find(|(name, _)| **name == **key).map(|(_, value)| &**value);
            let is_among = |values: &[String]| value.is_some_and(|value| values.iter().any(|one| one == value));
            match rule {
                Rule::Exists => value.is_some(),
                Rule::Missing => value.is_none(),
                Rule::OneOf(values) => is_among(values),
                Rule::NoneOf(values) => !is_among(values),
            }
        })
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = parts(text).into_iter().map(str::trim).filter(|part| !part.is_empty());
        let requirements = parts.map(requirement).collect::<Result<Vec<_>, _>>()?;
        if requirements.is_empty() {
            Err("a selector names labels: app=hello,!legacy".to_owned())
        } else {
            Ok(Self { requirements })
        }
    }
}

/// Split at the commas that stand in no parentheses.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut within) = (Vec::new(), 0, false);
    for (at, char) in text.char_indices() {
        match char {
            '(' => within = true,
            ')' => within = false,
            ',' if !within => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn requirement(text: &str) -> Result<Requirement, String> {
    let wrong = || format!("\"{text}\" is no requirement: k=v, k!=v, k in (a,b), k notin (a,b), k, !k");
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|char| char.is_ascii_alphanumeric() || "-_./".contains(char));
    let (key, rule) = if let Some(key) = text.strip_prefix('!') {
        (key, Rule::Missing)
    } else if let Some((key, value)) = text.split_once("!=") {
        (key, Rule::NoneOf(vec![value.trim().to_owned()]))
    } else if let Some((key, value)) = text.split_once('=') {
        (key, Rule::OneOf(vec![value.strip_prefix('=').unwrap_or(value).trim().to_owned()]))
    } else if let Some((head, values)) = text.split_once('(') {
        let values = values.strip_suffix(')').ok_or_else(wrong)?;
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        match head.split_whitespace().collect::<Vec<_>>()[..] {
            [key, "in"] => (key, Rule::OneOf(values)),
            [key, "notin"] => (key, Rule::NoneOf(values)),
            _ => return Err(wrong()),
        }
    } else {
        (text, Rule::Exists)
    };
    let key = key.trim();
    let values = match &rule {
        Rule::OneOf(values) | Rule::NoneOf(values) => values.as_slice(),
        Rule::Exists | Rule::Missing => &[],
    };
    // A label's value may be empty, a key may not.
    if is_word(key) && values.iter().all(|value| value.is_empty() || is_word(value)) {
        Ok(Requirement { key: key.to_owned(), rule })
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_chosen_as_kubernetes_does() {
        let labels: Vec<(Text, Text)> =
            [("app.oam.dev/name", "hello"), ("tier", "web"), ("empty", "")].map(|(k, v)| (k.into(), v.into())).into();
        for (text, chosen) in [
            ("tier=web", true),
            ("tier==web", true),
            ("tier = cache", false),
            ("tier!=cache", true),
            ("none!=x", true),
            ("none=x", false),
            ("tier", true),
            ("!tier", false),
            ("!none", true),
            ("tier in (web, api)", true),
            ("tier notin (web,api)", false),
            ("none notin (web)", true),
            ("app.oam.dev/name=hello,tier in (a,web),!none", true),
            ("app.oam.dev/name=hello,tier=cache", false),
            ("empty=", true),
        ] {
            assert_eq!(text.parse::<Selector>().unwrap().matches(&labels), chosen, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in ["", ",", "=x", "a in b", "a in (b", "a within (b)", "a b", "a=b c", "!", "a=b=c"] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
    }
}
