//! Expressions as a person types them: `sum(sin(x)^2 * exp(-x))`.
//!
//! A grammar in precedence order: sums, products, signs, powers (to the right), calls and brackets. `x` is the input, an
//! array; everything else is pointwise, but for the reductions `sum`, `mean`, `max`, `min`, `prod` and `lse`.

use crate::error::{Error, Result};
use autodiff::Value;

/// A parsed expression in one array `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    text: String,
    root: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Input,
    Number(f64),
    Negative(Box<Node>),
    Binary(char, Box<Node>, Box<Node>),
    Call(&'static str, Box<Node>),
}

/// The functions that an expression may call.
const FUNCTIONS: [&str; 22] = [
    "sin", "cos", "tan", "tanh", "exp", "ln", "sqrt", "abs", "sigmoid", "softplus", "relu", "erf", "square", "recip",
    "atan", "sum", "mean", "max", "min", "prod", "lse", "cumsum",
];

/// Longer ones are no work of a person's hands; what is parsed, evaluated and dropped goes as deep as the text is long.
const LONGEST: usize = 2000;

/// Brackets, signs and powers inside each other.
const DEEPEST: usize = 100;

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Expression {
    /// Reads an expression.
    ///
    /// ```
    /// use modes::Expression;
    /// let f = Expression::parse("sum(2*x^2)")?;
    /// assert_eq!(f.eval(&autodiff::Tensor::from([1.0, 3.0])).item(), 20.0);
    /// let wrong = Expression::parse("sin(x").unwrap_err().to_string();
    /// assert!(wrong.contains("a closing bracket is missing"), "{wrong}");
    /// # Ok::<(), modes::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Expression`], with the place.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parser = Parser { text, at: 0, depth: 0 };
        if text.len() > LONGEST {
            let start: String = text.chars().take(20).collect();
            let message = format!("{} characters: at most {LONGEST} are read", text.len());
            return Err(Error::Expression { text: start + "…", column: 1, message });
        }
        let root = parser.sum()?;
        match parser.peek() {
            None => Ok(Self { text: text.to_owned(), root }),
            Some(')') => parser.fail("a closing bracket without an opening one"),
            Some(c) => parser.fail(&format!("{c:?} is not expected here: an operator, or the end")),
        }
    }

    /// The functions that an expression may call.
    pub fn functions() -> &'static [&'static str] {
        &FUNCTIONS
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value, over any carrier; `x` has rank 1.
    pub fn eval<V: Value>(&self, x: &V) -> V {
        eval(&self.root, x)
    }
}

fn eval<V: Value>(node: &Node, x: &V) -> V {
    match node {
        Node::Input => x.clone(),
        Node::Number(c) => x.constant(*c),
        Node::Negative(a) => -eval(a, x),
        Node::Binary('^', a, b) => match **b {
            Node::Number(c) if c.fract() == 0.0 && c.abs() <= 1e9 => eval(a, x).powi(c as i32),
            Node::Number(c) => eval(a, x).powf(c),
            _ => eval(a, x).pow(&eval(b, x)),
        },
        Node::Binary(op, a, b) => {
            let (a, b) = (eval(a, x), eval(b, x));
            match op {
                '+' => a.plus(&b),
                '-' => a.minus(&b),
                '*' => a.times(&b),
                _ => a.over(&b),
            }
        }
        Node::Call(name, a) => {
            let a = eval(a, x);
            let axes: Vec<usize> = (0..a.shape().len()).collect();
            match *name {
                "sin" => a.sin(),
                "cos" => a.cos(),
                "tan" => a.tan(),
                "tanh" => a.tanh(),
                "exp" => a.exp(),
                "ln" => a.ln(),
                "sqrt" => a.sqrt(),
                "abs" => a.abs(),
                "sigmoid" => a.sigmoid(),
                "softplus" => a.softplus(),
                "relu" => a.relu(),
                "erf" => a.erf(),
                "square" => a.square(),
                "recip" => a.recip(),
                "atan" => a.atan(),
                "sum" => a.sum_all(),
                "mean" => a.mean_all(),
                "max" => a.max_over(&axes),
                "min" => a.min_over(&axes),
                "prod" => a.prod(&axes),
                "lse" => a.logsumexp(&axes),
                _ if axes.is_empty() => a,
                _ => a.cumsum(0),
            }
        }
    }
}

impl Parser<'_> {
    fn fail<T>(&self, message: &str) -> Result<T> {
        let column = self.text[..self.at].chars().count() + 1;
        Err(Error::Expression { text: self.text.to_owned(), column, message: message.to_owned() })
    }

    /// The next character that is no space.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn eat(&mut self, wanted: &[char]) -> Option<char> {
        let c = self.peek().filter(|c| wanted.contains(c))?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn sum(&mut self) -> Result<Node> {
        let mut left = self.product()?;
        while let Some(op) = self.eat(&['+', '-']) {
            left = Node::Binary(op, Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Node> {
        let mut left = self.sign()?;
        while let Some(op) = self.eat(&['*', '/']) {
            left = Node::Binary(op, Box::new(left), Box::new(self.sign()?));
        }
        Ok(left)
    }

    fn sign(&mut self) -> Result<Node> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.fail(&format!("more than {DEEPEST} brackets, signs or powers inside each other"));
        }
        let node = if self.eat(&['-']).is_some() { Node::Negative(Box::new(self.sign()?)) } else { self.power()? };
        self.depth -= 1;
        Ok(node)
    }

    fn power(&mut self) -> Result<Node> {
        let base = self.atom()?;
        if self.eat(&['^']).is_none() {
            return Ok(base);
        }
        let exponent = match self.sign()? {
            Node::Negative(inner) => match *inner {
                Node::Number(c) => Node::Number(-c),
                other => Node::Negative(Box::new(other)),
            },
            other => other,
        };
        Ok(Node::Binary('^', Box::new(base), Box::new(exponent)))
    }

    fn atom(&mut self) -> Result<Node> {
        match self.peek() {
            None => self.fail("something is missing here: x, a number, a function or a bracket"),
            Some('(') => self.bracket(),
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_ascii_alphabetic() => self.name(),
            Some(c) => self.fail(&format!("{c:?} is not expected here: x, a number, a function or a bracket")),
        }
    }

    fn bracket(&mut self) -> Result<Node> {
        self.eat(&['(']);
        let inner = self.sum()?;
        if self.eat(&[')']).is_some() { Ok(inner) } else { self.fail("a closing bracket is missing") }
    }

    fn number(&mut self) -> Result<Node> {
        let rest = &self.text[self.at..];
        let mut len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        // An exponent: e, perhaps a sign, digits.
        let tail = rest[len..].strip_prefix(['e', 'E']);
        if let Some(tail) = tail {
            let digits = tail.trim_start_matches(['+', '-']);
            let count = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            if count > 0 && tail.len() - digits.len() <= 1 {
                len += 1 + tail.len() - digits.len() + count;
            }
        }
        match rest[..len].parse() {
            Ok(number) => {
                self.at += len;
                Ok(Node::Number(number))
            }
            Err(_) => self.fail(&format!("{:?} is no number", &rest[..len])),
        }
    }

    fn name(&mut self) -> Result<Node> {
        let rest = &self.text[self.at..];
        let len = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = &rest[..len];
        let constant = match name {
            "x" => Some(Node::Input),
            "pi" => Some(Node::Number(std::f64::consts::PI)),
            "e" => Some(Node::Number(std::f64::consts::E)),
            _ => None,
        };
        if let Some(node) = constant {
            self.at += len;
            return Ok(node);
        }
        let Some(&known) = FUNCTIONS.iter().find(|&&f| f == name) else {
            return self.fail(&format!("{name:?} is no function; there are x, pi, e, {}", FUNCTIONS.join(", ")));
        };
        self.at += len;
        if self.peek() == Some('(') {
            Ok(Node::Call(known, Box::new(self.bracket()?)))
        } else {
            self.fail(&format!("{name} needs its argument in brackets"))
        }
    }
}
