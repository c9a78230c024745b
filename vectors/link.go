package vectors

import "fmt"

// linkChannelConversations gives every channel conversation the one it goes on
// from.
func linkChannelConversations(files []File) error {
	byName := map[string]*ChannelConversation{}
	var all []*ChannelConversation
	for _, f := range files {
		for _, v := range f.Vectors {
			if c, ok := v.(*ChannelConversation); ok {
				byName[c.Name], all = c, append(all, c)
			}
		}
	}
	for _, c := range all {
		if (c.After == "") == (c.Channel == nil) || c.After == "" && c.AfterSteps != nil {
			return fmt.Errorf("vectors: %s wants either after or channel", c.Name)
		}
		if c.After == "" {
			continue
		}
		c.Before = byName[c.After]
		if c.Before == nil || c.Before.Error != nil || c.Before.Party != c.Party {
			return fmt.Errorf("vectors: %s goes on from %s, which is no good conversation of the %s", c.Name, c.After, c.Party)
		}
		if c.AfterSteps != nil && *c.AfterSteps > Uint(len(c.Before.Steps)) {
			return fmt.Errorf("vectors: %s goes on after %d steps, %s has %d", c.Name, *c.AfterSteps, c.After, len(c.Before.Steps))
		}
		for at := c.Before; at != nil; at = byName[at.After] {
			if at == c {
				return fmt.Errorf("vectors: %s goes on from itself", c.Name)
			}
		}
	}
	return linkPlaces(files, byName)
}

// linkPlaces gives every message out of place the conversation that it comes in.
func linkPlaces(files []File, byName map[string]*ChannelConversation) error {
	for _, f := range files {
		for _, v := range f.Vectors {
			p, ok := v.(*OutOfPlace)
			if !ok {
				continue
			}
			p.Conversation = byName[p.In]
			if c := p.Conversation; c == nil || c.Error != nil || p.Lived > Uint(len(c.Steps)) {
				return fmt.Errorf("vectors: %s is in %s, which is no good conversation of so many steps", p.Name, p.In)
			}
		}
	}
	return nil
}
