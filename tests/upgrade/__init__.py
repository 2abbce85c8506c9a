"""States of earlier versions, from which later ones prove their upgrades."""
