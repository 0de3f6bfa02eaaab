//! Conditions of steps (`if:`) and what steps hand on (`valueFrom:`), as far as KubeVela's CUE is used for them:
//! fields of `status`, `context`, `inputs`, `parameter` and `output`, constants, comparisons, `&&`, `||`, `!` and
//! brackets. What goes beyond is an error, as a mistake is to CUE.

use std::cmp::Ordering;

use serde_json::{Value, json};

/// Whether a condition holds; the error is what CUE would say is wrong with it.
pub(super) fn holds(text: &str, scope: &Value) -> Result<bool, String> {
    truth(&value(text, scope)?)
}

/// What an expression comes to.
pub(super) fn value(text: &str, scope: &Value) -> Result<Value, String> {
    let mut reader = Reader { rest: text, scope };
    let value = reader.either()?;
    match reader.rest.trim() {
        "" => Ok(value),
        rest => Err(format!("expected operator, found '{rest}'")),
    }
}

fn truth(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("cannot use value {value} (type {}) as bool", kind(value)))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "struct",
    }
}

struct Reader<'a> {
    rest: &'a str,
    scope: &'a Value,
}

impl<'a> Reader<'a> {
    fn take(&mut self, mark: &str) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.strip_prefix(mark).map(|rest| self.rest = rest).is_some()
    }

    fn either(&mut self) -> Result<Value, String> {
        let mut value = self.both()?;
        while self.take("||") {
            value = json!(truth(&value)? | truth(&self.both()?)?);
        }
        Ok(value)
    }

    fn both(&mut self) -> Result<Value, String> {
        let mut value = self.comparison()?;
        while self.take("&&") {
            value = json!(truth(&value)? & truth(&self.comparison()?)?);
        }
        Ok(value)
    }

    fn comparison(&mut self) -> Result<Value, String> {
        let left = self.operand()?;
        for mark in ["==", "!=", "=~", "!~", "<=", ">=", "<", ">"] {
            if self.take(mark) {
                return compare(mark, &left, &self.operand()?).map(Value::Bool);
            }
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Value, String> {
        if self.take("!") {
            return Ok(json!(!truth(&self.operand()?)?));
        }
        if self.take("(") {
            let value = self.either()?;
            return if self.take(")") { Ok(value) } else { Err("expected ')'".to_owned()) };
        }
        if self.rest.starts_with('"') {
            return self.string().map(Value::String);
        }
        if self.rest.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-') {
            let number = self.span(|letter| letter.is_ascii_digit() || "-.".contains(letter));
            return number.parse().map(Value::Number).map_err(|_| format!("illegal number {number}"));
        }
        let name = self.span(is_name);
        match name {
            "" => Err(format!("expected operand, found '{}'", self.rest.trim())),
            "true" => Ok(json!(true)),
            "false" => Ok(json!(false)),
            "null" => Ok(Value::Null),
            name => {
                let value = self.scope.get(name).ok_or_else(|| format!("reference \"{name}\" not found"))?;
                self.select(value.clone())
            }
        }
    }

    /// The fields and items asked of a value: `.name`, `."a-name"`, `["a-name"]`, `[0]`.
    fn select(&mut self, mut value: Value) -> Result<Value, String> {
        loop {
            let (key, closed) = if self.rest.starts_with('.') {
                self.rest = &self.rest[1..];
                let quoted = self.rest.starts_with('"');
                (if quoted { self.string()? } else { self.span(is_name).to_owned() }, true)
            } else if self.rest.starts_with('[') {
                self.rest = &self.rest[1..];
                let key = match self.either()? {
                    Value::String(name) => name,
                    Value::Number(at) => at.to_string(),
                    other => return Err(format!("invalid index {other}")),
                };
                (key, self.take("]"))
            } else {
                return Ok(value);
            };
            if !closed {
                return Err("expected ']'".to_owned());
            }
            let found = match &value {
                Value::Array(all) => key.parse::<usize>().ok().and_then(|at| all.get(at)),
                other => other.get(key.as_str()),
            };
            value = found.cloned().ok_or_else(|| format!("undefined field: {key}"))?;
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
        let text = values.next().and_then(Result::ok).ok_or_else(|| "string literal not terminated".to_owned())?;
        self.rest = &self.rest[values.byte_offset()..];
        Ok(text)
    }

    fn span(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|letter| !of(letter)).unwrap_or(self.rest.len());
        let (span, rest) = self.rest.split_at(end);
        self.rest = rest;
        span
    }
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || "_$#".contains(letter)
}

fn compare(mark: &str, left: &Value, right: &Value) -> Result<bool, String> {
    let order = match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64().partial_cmp(&right.as_f64()),
        (Value::String(left), Value::String(right)) if mark.ends_with('~') => {
            let pattern = regex::Regex::new(right).map_err(|error| format!("invalid regexp: {error}"))?;
            return Ok(pattern.is_match(left) == (mark == "=~"));
        }
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    };
    let alike = kind(left) == kind(right) || left.is_null() || right.is_null();
    match (mark, order) {
        ("==", Some(order)) => Ok(order == Ordering::Equal),
        ("!=", Some(order)) => Ok(order != Ordering::Equal),
        ("<", Some(order)) => Ok(order == Ordering::Less),
        (">", Some(order)) => Ok(order == Ordering::Greater),
        ("<=", Some(order)) => Ok(order != Ordering::Greater),
        (">=", Some(order)) => Ok(order != Ordering::Less),
        ("==", None) if alike => Ok(left == right),
        ("!=", None) if alike => Ok(left != right),
        _ => Err(format!("invalid operands {left} and {right} to '{mark}' (type {} and {})", kind(left), kind(right))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Value {
        json!({
            "status": {"build": {"phase": "failed", "failed": true}, "deploy-foo": {"phase": "succeeded"}},
            "context": {"name": "web", "appRevisionNum": 3, "labels": {"app.oam.dev/team": "a"}},
            "inputs": {"ready": "yes"},
        })
    }

    #[test]
    fn conditions_that_kubevelas_users_write_hold_or_do_not() {
        for (text, wanted) in [
            (r#"status.build.phase == "failed""#, true),
            (r#"status["deploy-foo"].phase != "succeeded""#, false),
            (r#"status."deploy-foo".phase == "succeeded" && status.build.failed"#, true),
            (r#"!status.build.failed || (context.name == "web" && context.appRevisionNum >= 3)"#, true),
            (r#"inputs.ready == "no""#, false),
            (r#"context.labels["app.oam.dev/team"] =~ "^[ab]$""#, true),
            ("context.appRevisionNum < 3", false),
            ("true", true),
        ] {
            assert_eq!(holds(text, &scope()), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_one_is_said() {
        for (text, wanted) in [
            ("status.nope.phase == \"failed\"", "undefined field: nope"),
            ("nope", "reference \"nope\" not found"),
            ("context.name", "cannot use value \"web\" (type string) as bool"),
            ("context.name == 3", "invalid operands \"web\" and 3 to '==' (type string and number)"),
            ("strings.HasPrefix(context.name, \"w\")", "reference \"strings\" not found"),
            ("context.name == \"web\" if", "expected operator, found 'if'"),
            ("(true", "expected ')'"),
            ("", "expected operand, found ''"),
            ("context.name == \"we", "string literal not terminated"),
        ] {
            assert_eq!(holds(text, &scope()), Err(wanted.to_owned()), "{text}");
        }
    }
}
