//! What does not change from run to run, computed once.

use super::{Kind, Node, Place, Program};
use crate::error::{Error, Result};
use crate::shape::size;

impl Program {
    /// Takes the program apart into what does not depend on the varying inputs, and the rest: for loops in which only
    /// some of the inputs change, such as a Hessian-vector product at one point for many vectors.
    ///
    /// The first program takes the inputs that do not vary, in order, and gives the values that the rest needs of them;
    /// the second takes all inputs of the program, then those values, and gives the program's outputs.
    ///
    /// ```
    /// use autodiff::{Program, Value};
    /// let f = Program::record(&[&[], &[]], |x| x[0].exp().sin() * x[1])?;
    /// let (once, often) = f.split(&[1])?;
    /// let fixed = once.run(&[0.5])?; // sin e^0.5
    /// assert_eq!(often.len(), 1);
    /// assert_eq!(often.run(&[0.5, 2.0, fixed[0]])?, f.run(&[0.5, 2.0])?);
    /// # Ok::<(), autodiff::Error>(())
    /// ```
    ///
    /// Time and memory: linear in the number of ops.
    ///
    /// # Errors
    /// [`Error::Index`] if a varying input does not exist, [`Error::Count`] if all inputs vary.
    pub fn split(&self, varying: &[usize]) -> Result<(Self, Self)> {
        self.split_costly(varying, 0)
    }

    /// As [`split`](Program::split), where the first program gives only values that take at least so many floating-point
    /// operations an element; the second computes again what is cheaper. Of a VJP, with its cotangents as the varying inputs,
    /// the first program gives residuals: those that are worth their memory.
    ///
    /// An operation counts as in [`counts`](Program::counts): a custom one as one operation an element, however long it
    /// takes, and a checkpointed part as all that is in it.
    ///
    /// ```
    /// use autodiff::{Program, Value};
    /// // 2·50 operations for each element of a product, one for each of its exponential.
    /// let f = Program::record(&[&[20, 50], &[50, 3], &[20, 3]], |x| x[0].matmul(&x[1]).exp() * x[2])?;
    /// let (once, often) = f.split_costly(&[2], 100)?;
    /// assert_eq!((once.len(), often.len()), (1, 2)); // the product; the exponential and its multiple
    /// assert_eq!(f.split_costly(&[2], 101)?.1.len(), 3); // all of it again
    /// # Ok::<(), autodiff::Error>(())
    /// ```
    ///
    /// Time and memory: linear in the number of ops.
    ///
    /// # Errors
    /// As of [`split`](Program::split).
    pub fn split_costly(&self, varying: &[usize], flops_per_element: u64) -> Result<(Self, Self)> {
        self.check_wrt(varying)?;
        if (0..self.inputs.len()).all(|i| varying.contains(&i)) {
            return Err(Error::Count { what: "inputs that do not vary (at least one)", expected: 1, given: 0 });
        }
        let mut varies = vec![false; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            varies[i] = match node.kind {
                Kind::Input(position) => varying.contains(&position),
                _ => node.args.iter().any(|&a| varies[a as usize]),
            };
        }
        // What is handed over; and, from the outputs back to it, what the second program computes.
        let mut wanted = vec![false; self.nodes.len()];
        let mut needed = vec![false; self.nodes.len()];
        self.outputs.iter().for_each(|&o| needed[o as usize] = true);
        for (i, node) in self.nodes.iter().enumerate().rev().filter(|(_, node)| matches!(node.kind, Kind::Op(_))) {
            if needed[i] {
                wanted[i] =
                    !varies[i] && self.flops(node) >= flops_per_element.saturating_mul(size(&node.shape) as u64);
                needed[i] = !wanted[i];
            }
            if needed[i] {
                node.args.iter().for_each(|&a| needed[a as usize] = true);
            }
        }
        let mut fixed = Self { nodes: Vec::new(), inputs: Vec::new(), outputs: Vec::new() };
        let mut rest = fixed.clone();
        let mut places: [Vec<Place>; 2] = [vec![0; self.nodes.len()], vec![0; self.nodes.len()]];
        for (i, node) in self.nodes.iter().enumerate() {
            if let Kind::Input(_) = node.kind {
                places[1][i] = rest.put_input(node);
                if !varies[i] {
                    places[0][i] = fixed.put_input(node);
                }
            }
        }
        for (i, node) in self.nodes.iter().enumerate().filter(|(i, _)| wanted[*i]) {
            places[1][i] = rest.put_input(node);
        }
        for (i, node) in self.nodes.iter().enumerate() {
            match node.kind {
                Kind::Input(_) => {}
                Kind::Constant(_) => {
                    places[0][i] = fixed.put(node, &places[0]);
                    places[1][i] = rest.put(node, &places[1]);
                }
                Kind::Op(_) => {
                    if needed[i] {
                        places[1][i] = rest.put(node, &places[1]);
                    }
                    if !varies[i] {
                        places[0][i] = fixed.put(node, &places[0]);
                    }
                    if wanted[i] {
                        fixed.outputs.push(places[0][i]);
                    }
                }
            }
        }
        rest.outputs = self.outputs.iter().map(|&o| places[1][o as usize]).collect();
        Ok((fixed.without_dead_code(), rest.without_dead_code()))
    }

    fn put(&mut self, node: &Node, places: &[Place]) -> Place {
        let args = node.args.iter().map(|&a| places[a as usize]).collect();
        self.nodes.push(Node { args, ..node.clone() });
        (self.nodes.len() - 1) as Place
    }

    /// An input in the place of any node.
    fn put_input(&mut self, like: &Node) -> Place {
        let place = self.nodes.len() as Place;
        let kind = Kind::Input(self.inputs.len());
        self.nodes.push(Node { kind, args: Default::default(), ..like.clone() });
        self.inputs.push(place);
        place
    }
}
