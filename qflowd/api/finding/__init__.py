"""How pages of long lists are found: ids first, each by an index, within a time that no filter can exceed."""
