package strict

import "strings"

// Complexity is the largest number of states in which an automaton of all the values can be
// at once, whatever it reads. That is how the service's engine measures it; values known
// from it are in testdata/complexity.txt.
//
// The automaton is a trie: a node for each beginning of a value. A star is a node of its own,
// which stays once it is reached, and what follows it may begin there again with each
// character:
//
//	":*:*"   :  ->  *  ->  :  ->  *  ->  end
//
// Having read "::::" it is at both stars and the second colon; with its end, at the end, too.
//
// There may be exponentially many sets of nodes, but need not be tried: all stars behind
// the first ones can be reached together, since none is ever left, and then a node is
// reached if and only if the text ends with the characters between its star and it. So the
// largest number is that of the stars and of the nodes of the best ending. Only before the
// first star the text is fixed: there it is followed, character by character. The search
// ends where the result is above MaxComplexity.
func Complexity(values []string) int {
	root := &node{}
	for _, v := range values {
		root.add(v)
	}
	c := counter{}
	c.follow(root, []*node{root}, nil)
	return c.most
}

// end is the character behind the last one of a text.
const end = 256

// A node is a beginning of values. Its characters are bytes, or end.
type node struct {
	next map[rune]*node
	star *node // behind a star that comes next
	loop bool  // it is behind a star
}

// add adds a value of the wildcard operator.
func (n *node) add(value string) {
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '*':
			if n.star == nil {
				n.star = &node{loop: true}
			}
			n = n.star
			continue
		case '\\':
			i++
		}
		n = n.child(rune(value[i]))
	}
	n.child(end)
}

func (n *node) child(c rune) *node {
	if n.next == nil {
		n.next = make(map[rune]*node)
	}
	if n.next[c] == nil {
		n.next[c] = &node{}
	}
	return n.next[c]
}

type counter struct{ most int }

// follow goes from n, a node before the first star, to all such nodes below it. at are the
// nodes that the automaton is at, n among them, and stars those that it has passed.
func (c *counter) follow(n *node, at, stars []*node) {
	c.most = max(c.most, len(at))
	if n.star != nil {
		stars = append(stars[:len(stars):len(stars)], n.star)
	}
	leaf := true
	for char, next := range n.next {
		if c.most > MaxComplexity {
			return
		}
		leaf = leaf && char == end // an end is followed by nothing
		c.follow(next, step(at, char), stars)
	}
	if leaf && len(stars) > 0 {
		c.count(stars)
	}
}

// step returns the nodes that a character leads to.
func step(at []*node, char rune) (to []*node) {
	seen := make(map[*node]bool)
	add := func(n *node) {
		if n != nil && !seen[n] {
			seen[n] = true
			to = append(to, n)
		}
	}
	for _, n := range at {
		add(n.next[char])
		if n.loop {
			add(n)
		}
		if n.star != nil {
			add(n.star)
			add(n.star.next[char])
		}
	}
	return to
}

// count counts what can be reached at once when stars, and so all below them, are.
func (c *counter) count(stars []*node) {
	words, n := 0, 0
	var all []string // of nodes: the characters since their star
	var walk func(n *node, word []rune)
	walk = func(m *node, word []rune) {
		for char, next := range m.next {
			longer := append(word[:len(word):len(word)], char)
			all = append(all, string(longer))
			walk(next, longer)
		}
		if m.star != nil {
			n++
			walk(m.star, nil)
		}
	}
	for _, s := range stars {
		n++
		walk(s, nil)
	}
	for _, ending := range all {
		if c.most = max(c.most, n+words); c.most > MaxComplexity {
			return
		}
		words = 0
		for _, word := range all {
			if strings.HasSuffix(ending, word) {
				words++
			}
		}
	}
	c.most = max(c.most, n+words)
}
