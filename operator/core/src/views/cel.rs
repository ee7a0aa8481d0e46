//! CEL as the API server's policies speak it: parsed once, evaluated on JSON. What this library cannot evaluate is an error, and never
//! taken for an answer.

use kube_cel::{
    KubeCelExt,
    cel::{
        Context, ExecutionError, Value,
        extractors::This,
        parser::{Expression, Parser},
    },
};
use serde_json::Value as Json;

/// One expression.
pub(super) struct Program(Expression);

impl Program {
    /// None where the library does not know the syntax.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Parser::default().enable_optional_syntax(true).parse(&with_indices(text)).ok().map(Self)
    }

    /// Its value; none where it cannot be evaluated.
    pub(super) fn value(&self, context: &Context) -> Option<Value> {
        Value::resolve(&self.0, context).ok()
    }

    /// The same for an expression that says yes or no.
    pub(super) fn holds(&self, context: &Context) -> Option<bool> {
        match self.value(context)? {
            Value::Bool(holds) => Some(holds),
            _ => None,
        }
    }
}

/// A context with Kubernetes' functions, in which the authorizer allows nothing beyond what members of a tenant may do anyway.
pub(super) fn context() -> Context<'static> {
    let mut context = Context::default().with_all();
    context.add_function("dyn", |value: Value| -> Result<Value, ExecutionError> { Ok(value) });
    for step in ["group", "resource", "subresource", "namespace", "name", "check"] {
        context.add_function(step, |This(this): This<Value>, _: Value| -> Result<Value, ExecutionError> { Ok(this) });
    }
    context.add_function("allowed", |This(_): This<Value>| -> Result<Value, ExecutionError> { Ok(Value::Bool(false)) });
    context.add_variable_from_value("authorizer", Value::Bool(false));
    context
}

/// Binds a name to JSON.
pub(super) fn bind(context: &mut Context, name: &str, json: &Json) {
    context.add_variable_from_value(name.to_owned(), kube_cel::cel::to_value(json).unwrap_or(Value::Null));
}

/// Writes `.?a.b` as `[?'a'][?'b']`, which means the same: this library takes a field that is missing after `.?` for an error.
fn with_indices(text: &str) -> String {
    let (mut written, mut rest, mut optional) = (String::new(), text, false);
    while let Some(first) = rest.chars().next() {
        let (length, is_index) = match first {
            '\'' | '"' => (quoted(rest, first), false),
            '[' if rest[1..].starts_with('?') => (bracketed(rest), true),
            '.' if optional || rest[1..].starts_with('?') => {
                let name = rest[1..].trim_start_matches('?');
                let end = name.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(name.len());
                let length = rest.len() - name.len() + end;
                if !name[end..].starts_with('(') {
                    written.extend(["[?'", &name[..end], "']"]);
                    (rest, optional) = (&rest[length..], true);
                    continue;
                }
                (length, false)
            }
            other => (other.len_utf8(), false),
        };
        optional = is_index;
        written.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    written
}

/// Length of the literal at the beginning.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == quote && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(index, _)| index + 1)
}

/// Length of the index at the beginning, with whatever is nested in it.
fn bracketed(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while let Some(letter) = text[at..].chars().next() {
        match letter {
            '\'' | '"' => at += quoted(&text[at..], letter) - 1,
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        at += if matches!(letter, '\'' | '"') { 1 } else { letter.len_utf8() };
        if depth == 0 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn optional_fields_are_written_as_indices_and_nothing_else_is_touched() {
        for (text, written) in [
            ("a.b.?c.orValue('')", "a.b[?'c'].orValue('')"),
            ("a.?b.c.d.orValue({}).e", "a[?'b'][?'c'][?'d'].orValue({}).e"),
            ("a.?b[?'x.?y/z'].orValue('')", "a[?'b'][?'x.?y/z'].orValue('')"),
            ("a[?b[?'c'].orValue('d')].hasValue() && a.b", "a[?b[?'c'].orValue('d')].hasValue() && a.b"),
            ("a[?'b'].c.d.orValue('')", "a[?'b'][?'c'][?'d'].orValue('')"),
            ("a[?b[0]].c[1].d", "a[?b[0]][?'c'][1].d"),
            ("a[?b.orValue(']')].c", "a[?b.orValue(']')][?'c']"),
            ("a[?b.orValue('[')].c", "a[?b.orValue('[')][?'c']"),
            (r"'it\'s .?a' + x.y", r"'it\'s .?a' + x.y"),
        ] {
            assert_eq!(with_indices(text), written);
        }
    }

    #[test]
    fn a_missing_field_is_its_default_and_the_authorizer_allows_nothing() {
        let mut context = context();
        bind(&mut context, "object", &json!({"metadata": {"name": "a"}}));
        for (text, holds) in [
            ("dyn(object).metadata.?labels.orValue({}).exists(k, k == 'a')", Some(false)),
            ("dyn(object).?spec.template.spec.orValue({}) == {}", Some(true)),
            ("authorizer.group('').resource('services').subresource('status').check('update').allowed()", Some(false)),
            ("object.spec.replicas > 1", None),
        ] {
            assert_eq!(Program::parse(text).and_then(|program| program.holds(&context)), holds, "{text}");
        }
    }
}
