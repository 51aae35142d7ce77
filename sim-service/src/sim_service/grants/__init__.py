"""What an organisation may do in the carrier's account, and for how much money: nothing by default."""
